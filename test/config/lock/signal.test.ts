import { addAbortListener, EventEmitter, once } from 'node:events';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { addAbortSignal, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { lock } from 'mcube-lock';
import { stall } from '../../support/time.js';

/** A server that never answers. */
const server = createServer(() => undefined);
const factory = lock.open({ provider: 'go_cache' });

beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterAll(async () => {
  await factory.close();
  server.closeAllConnections();
  server.close();
});

const url = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const ready = async (): Promise<lock.Lock> => factory.new('k', '50ms').lock();

/** What takes an AbortSignal, and never ends but by it. */
const TAKERS: Record<string, (signal: AbortSignal) => Promise<unknown>> = {
  'a timer': (signal) => sleep(60_000, undefined, { signal }),
  'an event': (signal) => once(new EventEmitter(), 'never', { signal }),
  fetch: (signal) => fetch(url(), { signal }),
  'a request': (signal) => new Promise((_, reject) => get(url(), { signal }).once('error', reject)),
  'a stream': (signal) => once(addAbortSignal(signal, new Readable({ read: () => undefined })).resume(), 'end'),
  'a listener': (signal) => new Promise((_, reject) => addAbortListener(signal, () => reject(signal.reason as Error))),
  'AbortSignal.any': (signal) => sleep(60_000, undefined, { signal: AbortSignal.any([signal]) }),
  'another lock': async (signal) => {
    await using _ = await factory.new('held', '60s').lock();
    return await factory.new('held', '60s').lock({ signal });
  },
};

describe("a lock's signal", () => {
  it.each(Object.entries(TAKERS))('ends %s when the hold is lost', async (_, take) => {
    const { signal } = await ready();
    const lost = expect.objectContaining({ code: 'ERR_LOCK_LOST', reason: 'expired' }) as unknown;
    await expect(take(signal).catch((error: Error) => error.cause ?? error)).resolves.toEqual(lost);
  });

  it('tells who is given it after a stall that the hold is lost, before any timer has fired', async () => {
    const held = await ready();
    const { signal } = held;
    stall(held.remaining() + 10);
    expect(AbortSignal.any([signal]).aborted).toBe(true);
    expect(signal.reason).toMatchObject({ code: 'ERR_LOCK_LOST' });
    expect(() => signal.throwIfAborted()).toThrow(lock.LockLostError);
  });

  it('is an AbortSignal to whoever looks', async () => {
    const held = await ready();
    expect(held.signal).toBeInstanceOf(AbortSignal);
    expect(inspect(held.signal)).toBe('AbortSignal { aborted: false }');
    await held.unlock();
  });
});
