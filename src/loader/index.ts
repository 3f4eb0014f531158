/** Text outside becomes typed values inside: what the container and the components use of this folder. */
export { type Bound } from './bind.js';
export { choice, duration, flag, integer, number, text } from './decorators.js';
export { ConfigError, joined, type Mistake } from './errors.js';
export { envName, fieldsOf, type AnyClass, type FieldInfo, type FieldsClass } from './field.js';
export { describe, refuse } from './fill.js';
export { list, table } from './many.js';
export { type FieldDecorator, type FieldOptions } from './place.js';
export { isTable } from './shown.js';
export { nearest } from './suggest.js';
export { readConfiguration, type Configuration, type LoadRequest } from './read.js';
