// @ts-check
// Locks under everything that can go wrong, and whether they keep their promises: `npm run test:faults -- --help`.
import { existsSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { HOST, RedisProcess } from '../support/redis_process.js';
import { PLANS, plansOf } from './plans.js';
import { markdown, surroundings, table } from './report.js';
import { runPlan } from './trial.js';
import { broken, VARIANTS } from './variants.js';

/** @typedef {import('./trial.js').Result} Result */
/** @typedef {import('./plans.js').Plan} Plan */

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const BUILD = join(PROJECT, 'build');
/** A short run of a plan, in seconds, and how many of them side by side. */
const SHORT = { seconds: 2, jobs: 3, ttl: 400, processes: 3, waiters: 4, keys: 2 };
const LONG = { jobs: 1, ttl: 700, processes: 4, waiters: 5, keys: 2 };
/** A broken variant must be noticed in so many runs, each with a seed of its own. */
const TRIES = 6;

const HELP = `npm run test:faults                 every fault for ${SHORT.seconds} seconds
npm run test:faults -- --long       every fault for its share of --minutes
npm run test:faults -- --variants   broken variants of the library, each of which must be noticed
  --minutes 10        how long a long run takes
  --seed N            random unless given; the same seed injects the same faults in the same order
  --provider NAME     redis or go_cache; both unless given
  --only NAME         one plan, or with --variants one variant
  --seconds N         for each plan, instead of what the form says
  --processes N --waiters N --keys N --ttl MS --jobs N
  --dist FOLDER       the built library
  --keep              the diaries of a run that went wrong are kept
  --json              each result as a line of JSON, nothing else
  --markdown          the table in Markdown
plans: ${[...new Set(PLANS.map(({ name }) => name))].join(' ')}
variants: ${VARIANTS.map(({ name }) => name).join(' ')}
`;

const number = /** @type {const} */ ({ type: 'string' });
const flag = /** @type {const} */ ({ type: 'boolean', default: false });
const options = given();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
if (options.help) print(HELP);
else process.exitCode = (await main()) ? 0 : 1;

function given() {
  try {
    return parseArgs({
      options: {
        ...{ long: flag, variants: flag, json: flag, markdown: flag, keep: flag, help: flag },
        ...{ minutes: number, seed: number, seconds: number, processes: number, waiters: number, keys: number },
        ...{ ttl: number, jobs: number },
        provider: { type: 'string', default: '' },
        only: { type: 'string', default: '' },
        dist: { type: 'string', default: 'dist' },
      },
    }).values;
  } catch (error) {
    return misused(/** @type {Error} */ (error).message);
  }
}

/** Ends the process: it was called wrongly. @param {string} why @returns {never} */
function misused(why) {
  process.stderr.write(`${why}\n\n${HELP}`);
  process.exit(1);
}

async function main() {
  const seed = options.seed === undefined ? Math.floor(Math.random() * 1e9) : whole('seed', options.seed);
  const dist = resolve(PROJECT, options.dist);
  if (!existsSync(join(dist, 'config/lock/index.js')))
    misused(`--dist: no built library in ${dist}; npm run build makes it`);
  if (!['', 'redis', 'go_cache'].includes(options.provider))
    misused(`--provider: found ${options.provider}, expected redis or go_cache`);
  const chosen = options.variants ? [] : plansOf(options.provider, options.only);
  const variants = VARIANTS.filter(
    ({ name, provider }) =>
      (!options.only || name === options.only) && (!options.provider || provider === options.provider),
  );
  if ((options.variants ? variants : chosen).length === 0)
    misused(`--only: found ${options.only}, expected one of the names below, of the provider that is wanted`);
  say(`seed ${seed}\n`);
  const server = await startRegister();
  try {
    const { port, version } = server;
    return options.variants
      ? await runVariants(variants, { seed, dist, register: port })
      : await runPlans(chosen, { seed, dist, register: port }, version);
  } finally {
    await server.stop();
  }
}

/** The Redis that has the registers; nothing is done to it. */
async function startRegister() {
  const server = new RedisProcess();
  await server.prepare();
  await server.launch((port) => ['--port', String(port), '--bind', HOST, '--save', '']);
  const client = new Redis(server.port);
  const version = /redis_version:(\S+)/.exec(await client.info('server'))?.[1] ?? '';
  client.disconnect();
  return { port: server.port, version, stop: () => server.stop() };
}

/** @typedef {{ seed: number; dist: string; register: number }} Given */

/** @param {readonly Plan[]} plans @param {Given} given @param {string} version of Redis */
async function runPlans(plans, given, version) {
  const form = formOf();
  /** @type {Result[]} */ const results = [];
  const left = [...plans];
  const one = async () => {
    for (let plan = left.shift(); plan; plan = left.shift()) {
      const seconds = secondsOf(plan, plans);
      const result = await runPlan(plan, {
        ...form,
        ...given,
        seconds,
        refuses: true,
        build: BUILD,
        keep: options.keep,
      });
      results.push(result);
      const again = replay(plan, given.seed);
      if (options.json) print(`${JSON.stringify(result)}\n`);
      if (options.json && result.violations.length > 0) process.stderr.write(`again: ${again}\n`);
      say(progress(result, results.length, plans.length, again));
    }
  };
  await Promise.all(Array.from({ length: form.jobs }, one));
  results.sort((a, b) => order(a) - order(b));
  say(`\n${options.markdown ? markdown(results, surroundings(PROJECT, version), given.seed) : table(results)}`);
  const wrong = results.reduce((sum, { violations }) => sum + violations.length, 0);
  say(`\nseed ${given.seed}: ${results.length} plans, ${wrong} violations\n`);
  return wrong === 0;
}

/** Each variant must be noticed by its check. @param {typeof VARIANTS} variants @param {Given} given */
async function runVariants(variants, given) {
  let unnoticed = 0;
  for (const variant of variants) {
    const { name, breaks, provider, plan, checks } = variant;
    const dist = broken(given.dist, variant, BUILD);
    const started = performance.now();
    let by = '';
    let tries = 0;
    try {
      const [found] = PLANS.filter((one) => one.provider === provider && one.name === plan);
      if (!found) throw new Error(`${name}: there is no plan ${provider} ${plan}`);
      for (; !by && tries < TRIES; tries += 1) {
        const options = { ...formOf(), ...given, dist, seed: given.seed + tries, refuses: !variant.lets };
        const { violations } = await runPlan(found, { ...options, seconds: seconds(3), build: BUILD, keep: false });
        by = checks.find((check) => violations.some((wrong) => wrong.check === check)) ?? '';
      }
    } finally {
      rmSync(dist, { recursive: true, force: true });
    }
    if (!by) unnoticed += 1;
    const took = `${((performance.now() - started) / 1_000).toFixed(1)} s`;
    if (options.json) print(`${JSON.stringify({ variant: name, provider, plan, by, tries })}\n`);
    say(
      `${by ? 'noticed  ' : 'UNNOTICED'} ${provider} ${name}: ${breaks}; ${by ? `by ${by}` : 'by none'}, in ${took}, run ${tries}\n`,
    );
  }
  say(`\nseed ${given.seed}: ${variants.length - unnoticed} of ${variants.length} broken variants were noticed\n`);
  return unnoticed === 0;
}

function formOf() {
  const form = options.long ? LONG : SHORT;
  const given = ['jobs', 'ttl', 'processes', 'waiters', 'keys'].flatMap((name) => {
    const value = options[/** @type {'ttl'} */ (name)];
    return value === undefined ? [] : [[name, whole(name, value)]];
  });
  return { ...form, ...Object.fromEntries(given) };
}

/** @param {Plan} plan @param {readonly Plan[]} plans */
function secondsOf(plan, plans) {
  if (!options.long) return seconds(SHORT.seconds);
  const shares = plans.reduce((sum, { weight = 1 }) => sum + weight, 0);
  return seconds((whole('minutes', options.minutes ?? '10') * 60 * (plan.weight ?? 1)) / shares);
}

/** @param {number} otherwise */
function seconds(otherwise) {
  return options.seconds === undefined ? otherwise : whole('seconds', options.seconds);
}

/** @param {string} name @param {string} text */
function whole(name, text) {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) misused(`--${name}: found ${text}, expected a whole number`);
  return value;
}

/** @param {Result} result @param {number} done @param {number} all @param {string} again */
function progress({ provider, plan, acquisitions, injected, violations }, done, all, again) {
  const seen = `${injected} injected, ${acquisitions} acquisitions`;
  const head = `${done}/${all} ${violations.length === 0 ? 'kept  ' : 'BROKEN'} ${provider} ${plan}: ${seen}\n`;
  if (violations.length === 0) return head;
  return `${head}${violations.map(({ check, text }) => `  WRONG ${check}: ${text}\n`).join('')}  again: ${again}\n`;
}

/** The command that does the same once more. @param {Plan} plan @param {number} seed */
function replay(plan, seed) {
  const form = formOf();
  const same = `--processes ${form.processes} --waiters ${form.waiters} --keys ${form.keys} --ttl ${form.ttl}`;
  const time = `--seconds ${Math.ceil(options.long ? secondsOf(plan, plansOf(options.provider, options.only)) : seconds(SHORT.seconds))}`;
  return `npm run test:faults -- --provider ${plan.provider} --only ${plan.name} --seed ${seed} ${time} ${same}`;
}

/** @param {Result} result */
function order({ provider, plan }) {
  return PLANS.findIndex((one) => one.provider === provider && one.name === plan);
}

/** @param {string} text */
function print(text) {
  process.stdout.write(text);
}

/** For people. @param {string} text */
function say(text) {
  if (!options.json) print(text);
}
