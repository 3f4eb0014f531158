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
    const dependencies = graph.dependencies(entry).map(({ entry: other, want }) => {
      const node = nodes.get(other) as DependencyNode;
      return want.optional ? { ...node, optional: true as const } : node;
    });
    const { namespace, name, version, priority, type } = entry;
    nodes.set(entry, { namespace, name, version, priority, type: type.name, dependencies });
  }
  return entries.map((entry) => nodes.get(entry) as DependencyNode);
}

/** The tree as a terminal shows it: a line for each component under its namespace, and below it what it has injected. */
export function treeText(nodes: readonly DependencyNode[]): string {
  const namespaces = [...new Set(nodes.map(({ namespace }) => namespace))];
  const lines = namespaces.flatMap((namespace) => [
    namespace,
    ...branches(
      nodes.filter((node) => node.namespace === namespace),
      label,
    ),
  ]);
  return lines.map((line) => `${line}\n`).join('');
}

function branches(nodes: readonly DependencyNode[], text: (node: DependencyNode) => string, above = ''): string[] {
  return nodes.flatMap((node, i) => {
    const isLast = i === nodes.length - 1;
    const line = `${above}${isLast ? '└─ ' : '├─ '}${text(node)}`;
    return [line, ...branches(node.dependencies, fullLabel, above + (isLast ? '   ' : '│  '))];
  });
}

function label({ name, version, type, priority }: DependencyNode): string {
  return `${name} ${version} (${type}${priority === 0 ? '' : `, priority ${priority}`})`;
}

function fullLabel(node: DependencyNode): string {
  return `${node.namespace}.${node.name} ${node.version} (${node.type}${node.optional ? ', optional' : ''})`;
}
