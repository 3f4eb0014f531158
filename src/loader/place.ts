import { InvalidArgumentError } from '../errors.js';
import { declare, type Shape } from './field.js';

/** What every field is declared with. */
export interface FieldOptions {
  /** One sentence: what the value does. */
  about: string;
  /** The TOML key; without it, the property's name in snake_case. */
  name?: string;
}

/** Puts a declaration on a field; call it by hand from JavaScript: `text({ about })(X.prototype, 'url')`. */
export type FieldDecorator = (target: object, property: string | symbol) => void;

/** The last step of every decorator: the declaration, once the field it stands on is known. */
export function place(decorator: string, options: FieldOptions & { secret?: boolean }, shape: Shape): FieldDecorator {
  const { about, name, secret = false } = { ...options };
  return (target, property) => {
    if (typeof target !== 'object' || target === null || typeof property !== 'string') {
      throw new InvalidArgumentError(`@${decorator}`, property, 'a field of a class, with experimentalDecorators');
    }
    const key = name ?? snakeCase(property);
    if (!KEY.test(key))
      throw new InvalidArgumentError(`@${decorator} ${property}`, key, 'a key such as connect_timeout; give `name`');
    declare(target, { property, key, about, secret, shape });
  };
}

const KEY = /^[A-Za-z][A-Za-z0-9_-]*$/;

/** `connectTimeout` is `connect_timeout`, `tlsCAFile` is `tls_ca_file`. */
function snakeCase(property: string): string {
  const parted = property.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replace(/([A-Z])([A-Z][a-z])/g, '$1_$2');
  return parted.toLowerCase();
}
