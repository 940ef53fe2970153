// `node setup/run.mjs TARGET -- ARGUMENTS…`: brings everything that TARGET (demo, test, dev, bench, faults, setup) needs, then runs it.
import process from 'node:process';
import { main } from './main.mjs';

process.exitCode = await main(process.argv.slice(2));
