import { parentPort, workerData } from 'node:worker_threads';
import { openStoreCopy } from '../provider/index.js';
import { FigureBoard } from './cell.js';
import { Renewer } from './renewer.js';
import type { ThreadData } from './thread.js';

/** Where the thread of renewals begins. */
const { copy, board } = workerData as ThreadData;
new Renewer(parentPort!, openStoreCopy(copy), new FigureBoard(board));
