import type { Entry } from './entry.js';
import type { Graph } from './graph.js';

/** A component and what it has injected. */
export interface DependencyNode {
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  readonly priority: number;
  /** The name of its class. */
  readonly type: string;
  /** Set on what a component could do without. */
  readonly optional?: true;
  readonly dependencies: readonly DependencyNode[];
}

/** @param entries the roots, in the order they start */
export function tree(graph: Graph, entries: readonly Entry[]): DependencyNode[] {
  const nodes = new Map<Entry, DependencyNode>();
  for (const entry of graph.order()) {
    const wanted = graph.dependencies(entry);
    const dependencies = [...new Set(wanted.map((one) => one.entry))].map((other) => {
      const node = nodes.get(other) as DependencyNode;
      const isOptional = wanted.every((one) => one.entry !== other || one.want.optional);
      return isOptional ? { ...node, optional: true as const } : node;
    });
    const { namespace, name, version, priority, type } = entry;
    nodes.set(entry, { namespace, name, version, priority, type: type.name, dependencies });
  }
  return entries.map((entry) => nodes.get(entry) as DependencyNode);
}

/**
 * The tree as a terminal shows it: under each namespace its components, below each what it has injected. What was shown
 * with all below it is shown alone from then on.
 */
export function treeText(nodes: readonly DependencyNode[]): string {
  const namespaces = [...new Set(nodes.map(({ namespace }) => namespace))];
  const shown = new Set<string>();
  const lines = namespaces.flatMap((namespace) => {
    const roots = nodes.filter((node) => node.namespace === namespace);
    return [namespace, ...branches(roots, '', shown)];
  });
  return lines.map((line) => `${line}\n`).join('');
}

function branches(nodes: readonly DependencyNode[], above: string, shown: Set<string>): string[] {
  return nodes.flatMap((node, i) => {
    const [branch, below] = i === nodes.length - 1 ? ['└─ ', '   '] : ['├─ ', '│  '];
    const place = `${node.namespace}.${node.name}`;
    const isNew = above === '' || !shown.has(place);
    shown.add(place);
    const dependencies = isNew ? branches(node.dependencies, above + below, shown) : [];
    const isCut = !isNew && node.dependencies.length > 0;
    return [`${above}${branch}${above === '' ? node.name : place} ${facts(node)}${isCut ? ' …' : ''}`, ...dependencies];
  });
}

function facts({ version, type, priority, optional }: DependencyNode): string {
  return `${version} (${type}${priority === 0 ? '' : `, priority ${priority}`}${optional ? ', optional' : ''})`;
}
