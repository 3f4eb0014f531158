import { InvalidArgumentError } from '../errors.js';
import { ConfigError, type Mistake } from './errors.js';
import { fields, type AnyClass } from './field.js';
import { put } from './fill.js';
import { sharedVariables, strangeKeys, strangeSections } from './strange.js';
import { readTable, type Setting } from './settings.js';
import type { Source } from './source.js';

/** Values that were checked; they wait for their objects. */
export interface Bound {
  /**
   * Puts the values on an object, each in its field; a field that nothing was given for keeps its default.
   * @param name of the component, as it was bound
   * @throws {ConfigError} a default does not keep to the bounds of its field, so that a value has to be given
   */
  fill(name: string, object: object): void;
}

export interface Component {
  readonly name: string;
  readonly type: AnyClass;
}

/**
 * @param sources the weakest first
 * @throws {ConfigError} with every mistake in every section
 */
export function bind(sources: readonly Source[], components: readonly Component[]): Bound {
  const mistakes: Mistake[] = [];
  const settings = new Map<AnyClass, Map<string, readonly Setting[]>>();
  for (const { name, type } of components) {
    const levels = sources.map((source) => source.section(name)).filter((level) => level !== undefined);
    const ofType = settings.get(type) ?? new Map<string, readonly Setting[]>();
    settings.set(type, ofType.set(name, readTable(fields(type), levels, name, mistakes)));
  }
  mistakes.push(...strangeSections(sources, components), ...strangeKeys(sources, components));
  mistakes.push(...sharedVariables(sources, components));
  if (mistakes.length > 0) throw new ConfigError(once(mistakes));
  return {
    fill(name, object) {
      const found = settings.get(object.constructor)?.get(name);
      if (!found) throw new InvalidArgumentError('component', name, 'one that was bound with this class');
      put(name, object, found);
    },
  };
}

/** Components that share a section share its mistakes. */
function once(mistakes: readonly Mistake[]): readonly Mistake[] {
  return [...new Map(mistakes.map((mistake) => [JSON.stringify(mistake), mistake])).values()];
}
