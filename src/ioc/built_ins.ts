import type { ComponentClass } from './entry.js';

/** Components that every container gets at its setup, unless it has one of that name. */
export const builtIns: { readonly namespace: string; readonly type: ComponentClass }[] = [];
