import { ioc } from 'mcube-lock';

/** A component as its section of the configuration shows it. */
export interface Section {
  readonly name: string;
  readonly keys: readonly Key[];
}

/** One configured value. */
export interface Key extends ioc.FieldInfo {
  /** As the component has it; a secret is masked. */
  readonly value: unknown;
  /** Where it came from, as messages say it. */
  readonly source: string;
}

/** What people come for. */
const FIRST = 'lock';

/** The sections of all components: before setup with their defaults, after it with what is in effect. */
export function sections(): Section[] {
  const components = ioc.dependencies().map(({ namespace, name }) => ioc.namespace(namespace).get(name));
  const found = components.map((component) => ({ name: component.name(), keys: keys(component) }));
  return found
    .filter((section) => section.keys.length > 0)
    .sort((a, b) => Number(b.name === FIRST) - Number(a.name === FIRST));
}

function keys(component: ioc.IocObject): Key[] {
  const values = ioc.describe(component);
  return ioc.fieldsOf(component.constructor).map((field) => ({
    ...field,
    value: values[field.key],
    source: sourceOf(component, field.property),
  }));
}

/** The loader tells the source of a value to whoever would refuse it. */
function sourceOf(component: ioc.IocObject, property: string): string {
  return ioc.refuse(component, property, '').mistakes[0]!.source;
}
