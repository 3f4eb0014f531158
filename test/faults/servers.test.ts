import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { Servers, type Node } from './servers.js';

const KEY = 'jobs';

it('a slot stays where it was moved to, also when who had it is in a newer epoch than the target has heard of', async () => {
  const servers = await new Servers('cluster', []).open();
  try {
    const place = await servers.ownerOf(KEY);
    const target = servers.nodes.find((node) => node !== place.owner) as Node;
    await target.admin.call('CLUSTER', 'BUMPEPOCH');
    await sleep(1_500);
    await place.owner.admin.call('CLUSTER', 'BUMPEPOCH');
    // Between the first who is told and the last, all nodes hear what all others claim.
    await servers.moveSlot(place, target, undefined, () => sleep(1_500));
    expect((await servers.ownerOf(KEY)).owner).toBe(target);
    expect(await target.admin.set(KEY, 'held')).toBe('OK');
  } finally {
    await servers.close();
  }
});
