// Bundles the workflows: `node setup/bundle-workflows.mjs ENTRY TARGET`.
import fs from 'node:fs';
import process from 'node:process';
import { bundleWorkflowCode } from '@temporalio/worker';

const [workflowsPath, target] = process.argv.slice(2);
// Evaluated once a worker and not once a workflow: nothing in it belongs to one.
const { code } = await bundleWorkflowCode({ workflowsPath, preloadModules: ['zod'] });
fs.writeFileSync(`${target}.draft`, code);
fs.renameSync(`${target}.draft`, target);
