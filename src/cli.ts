#!/usr/bin/env node
import { Command, Option } from 'commander';
import { explain } from './commands/output.js';
import { currentUser, loadDevEnvironment } from './config.js';

const program = new Command('understudy')
  .description('Durable continual learning for LLM applications.')
  .version('0.1.0')
  .showHelpAfterError('(see --help)')
  // Options after a command are that command's: `rollback --version 3` must not print the program's version.
  .enablePositionalOptions()
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

// Not for `dev` itself: what an earlier one left, killed, would send it to a database that is gone.
program.hook('preAction', (_, command) => {
  if (command.name() !== 'dev') loadDevEnvironment();
});

const json = () => new Option('--json', 'print JSON for programs');
const actor = () => new Option('--actor <name>', 'who does this').default(currentUser());
/** Loads a command only when it is called: `--help` stays instant. */
const lazily =
  <A extends unknown[]>(load: () => Promise<(...args: A) => Promise<void>>) =>
  async (...args: A) =>
    (await load())(...args);

program
  .command('dev')
  .description('start everything embedded: Postgres, Temporal with its UI, worker, server, trainer; stop with Ctrl-C')
  .option('--data <folder>', 'where state is kept', '.understudy')
  .option('--port <port>', 'preferred port of gateway and API', '8080')
  .option('--base <model>', 'also start the adapter server on this base model (hub id or local folder)')
  .action(lazily(async () => (await import('./commands/dev.js')).dev));

const shadow = program.command('shadow').description('a version that answers copies of requests, unseen');
shadow
  .command('start')
  .argument('<model>')
  .description('let a version answer copies of a share of the requests; nobody sees its answers')
  .requiredOption('--version <n>', 'the version that answers copies')
  .option('--share <share>', 'of the requests, above 0 and at most 1', '0.1')
  .option('--for <duration>', 'how long', '24h')
  .requiredOption('--reason <text>', 'why, for the record')
  .addOption(actor())
  .addOption(json())
  .action(lazily(async () => (await import('./commands/shadow-start.js')).shadowStart));
shadow
  .command('show')
  .argument('<model>')
  .description('what the shadow answered, beside what people got')
  .option('--version <n>', 'a version that was a shadow before')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/shadow-show.js')).shadowShow));
shadow
  .command('stop')
  .argument('<model>')
  .description('ask the shadow no more; what it answered stays')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/shadow-stop.js')).shadowStop));

const db = program.command('db').description('the database schema');
db.command('migrate')
  .description('apply the migrations that are missing; safe to run again')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/db-migrate.js')).dbMigrate));

const partitions = db.command('partitions').description('months of interactions and feedback');
partitions
  .command('list')
  .description('the months that are stored, with their size')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/db-partitions.js')).dbPartitionsList));
partitions
  .command('drop')
  .argument('<table>', 'interactions or feedback')
  .argument('<month>', 'e.g. 2026-08, in UTC')
  .option('--force', 'also a month that an experiment or a cycle still needs')
  .addOption(json())
  .description('delete a month for good, at once; datasets keep what they froze')
  .action(lazily(async () => (await import('./commands/db-partitions.js')).dbPartitionsDrop));

const model = program.command('model').description('models and their policies');
model
  .command('apply')
  .description('create or change a model from its policy; shows the difference')
  .requiredOption('-f, --file <model.yaml>', 'the policy; - for standard input')
  .addOption(actor())
  .addOption(json())
  .action(lazily(async () => (await import('./commands/model-apply.js')).modelApply));
model
  .command('show')
  .argument('<model>')
  .description('route, versions, running cycle and the last route changes')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/model-show.js')).modelShow));

const version = program.command('version').description('versions of a model and what is kept of them');
version
  .command('list')
  .argument('<model>')
  .description('all versions with label, role and state')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/version-list.js')).versionList));
version
  .command('show')
  .argument('<model@n>', 'e.g. support-desk@3')
  .description('where a version comes from, its evaluations and experiments, and who promoted it')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/version-show.js')).versionShow));
version
  .command('compare')
  .argument('<model>')
  .argument('<a>', 'a version')
  .argument('<b>', 'another one')
  .description('two versions side by side; only an experiment in which they met says which one is better')
  .option('--days <n>', 'how far back live outcomes are counted', '30')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/version-compare.js')).versionCompare));

version
  .command('prune')
  .argument('[model]', 'default: all models')
  .description('drop the adapters that `retention` of the policy lets go; the server does it daily')
  .option('--dry-run', 'only show what would be dropped')
  .addOption(actor())
  .addOption(json())
  .action(lazily(async () => (await import('./commands/version-prune.js')).versionPrune));
version
  .command('register')
  .argument('<model>')
  .description('make something that was made elsewhere a version; a cycle with it as --candidate tests it')
  .option('--adapter <folder>', 'a LoRA adapter as PEFT writes it, for the base of the model')
  .option('--remote <id>', 'what answers under this id at the upstream of the policy; its content is not checked')
  .option('--base-model <name>', 'with --remote: what it is made of; default: the id')
  .requiredOption('--reason <text>', 'why, for the record')
  .addOption(actor())
  .addOption(json())
  .action(lazily(async () => (await import('./commands/version-register.js')).versionRegister));
version
  .command('hold')
  .argument('<model@n>', 'e.g. support-desk@3')
  .description('legal hold: the adapter is dropped by nobody')
  .requiredOption('--reason <text>', 'why, for the record')
  .addOption(actor())
  .addOption(json())
  .action(lazily(async () => (await import('./commands/version-hold.js')).versionHold));
version
  .command('release')
  .argument('<model@n>', 'e.g. support-desk@3')
  .description('end a legal hold')
  .requiredOption('--reason <text>', 'why, for the record')
  .option('--hold <id>', 'which one, where there are several')
  .addOption(actor())
  .addOption(json())
  .action(lazily(async () => (await import('./commands/version-hold.js')).versionRelease));

const mirror = program
  .command('mirror')
  .description('webhooks and registries that are told of promotions and rollbacks');
mirror
  .command('status')
  .argument('[model]', 'default: all models')
  .description('how far each mirror is, and what did not get through')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/mirror-status.js')).mirrorStatus));
mirror
  .command('replay')
  .argument('<model>')
  .description('deliver what is dead again, with the ids it had')
  .option('--mirror <name>', 'of this mirror only')
  .option('--event <id>', 'this event, also if it was delivered')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/mirror-replay.js')).mirrorReplay));

const key = program.command('key').description('API keys');
key
  .command('create')
  .description('make a key and print it once')
  .requiredOption('--scope <scope...>', 'ingest, serve, read, run, approve, operate, admin')
  .option('--model <model>', 'valid for this model only')
  .option('--name <name>', 'what it is for', 'cli')
  .option('--requests-per-minute <n>', 'requests it may make; default: any number')
  .option('--tokens-per-day <n>', 'prompt and completion tokens it may use, counted by UTC days; default: any number')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/key-create.js')).keyCreate));
key
  .command('list')
  .description('every key: what it may do, its first characters, when it was last used')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/key-list.js')).keyList));
key
  .command('rotate')
  .argument('<id>')
  .description('replace a key by one with the same rights, and print that once')
  .option('--overlap <duration>', 'how long the old key goes on working', '24h')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/key-rotate.js')).keyRotate));
key
  .command('revoke')
  .argument('<id>')
  .description('end a key for good; a second time changes nothing')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/key-revoke.js')).keyRevoke));

program
  .command('import')
  .argument('<file>', 'JSONL, a JSON array, CSV or SQLite, plain, gzip or zstd; - for standard input')
  .description('store interactions and their feedback; a second import changes nothing, an interrupted one goes on')
  .addOption(
    new Option('--format <format>', 'what the rows are; told from the file when absent').choices([
      'records',
      'openai',
      'messages',
      'data-flywheel',
      'langfuse',
      'tensorzero',
      'sqlite',
    ]),
  )
  .option('--model <name>', 'the model to store them under, whatever the rows say')
  .option('--at <timestamp>', 'when rows were asked that do not say so; default: when the file was changed')
  .option('--thumbs <name...>', 'names of the scores or metrics that are a thumb of a user (langfuse, tensorzero)')
  .option('--rejects <file>', 'write refused lines, with their reason, here; default: FILE.rejects.jsonl')
  .option('--dry-run', 'check only, store nothing')
  .option('--restart', 'from the first line, also after an interruption')
  .option('--connections <n>', 'batches under way at once', '4')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/import.js')).importFile));

program
  .command('export')
  .argument('<model>')
  .description('write its interactions with their feedback; subjects are hashes')
  .option('--out <file>', 'where to; .gz and .zst are packed; - for standard output', '-')
  .addOption(
    new Option('--format <format>', 'default: parquet for a file that ends so, else jsonl').choices([
      'jsonl',
      'parquet',
    ]),
  )
  .option('--from <timestamp>', 'asked at or after it')
  .option('--to <timestamp>', 'asked before it')
  .option('--version <version>', 'answered by this version')
  .option('--experiment <id>', 'of this experiment')
  .addOption(new Option('--arm <arm>', 'of this arm').choices(['champion', 'challenger', 'holdback']))
  .addOption(new Option('--status <status>', 'that ended so').choices(['complete', 'incomplete', 'failed']))
  .addOption(new Option('--json', 'print a summary as JSON, on standard error when the export goes to standard output'))
  .action(lazily(async () => (await import('./commands/export.js')).exportModel));

const cycle = program.command('cycle').description('retraining cycles');
cycle
  .command('start')
  .argument('<model>')
  .description('start a cycle; says so when one is running')
  .option('--candidate <version>', 'test this version instead of training one (see `version register`)')
  .option('--overrides <json>', 'other settings for curation, trainer, evaluation of this cycle')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/cycle-start.js')).cycleStart));
cycle
  .command('status')
  .argument('<model>')
  .description('phase, arms, looks and outcome of the newest cycle')
  .option('--watch', 'print again whenever something changed, until it has ended')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/cycle-status.js')).cycleStatus));

cycle
  .command('extend')
  .argument('<model>')
  .description('put off the last look of the running experiment')
  .requiredOption('--by <duration>', 'how much longer, e.g. 48h')
  .option('--candidate <version>', 'the version this is about; default: whatever the candidate is')
  .option('--reason <text>', 'why, for the record')
  .option('--request-id <id>', 'the same id again changes nothing')
  .addOption(actor())
  .addOption(json())
  .action(lazily(async () => (await import('./commands/cycle-extend.js')).cycleExtend));
cycle
  .command('resume')
  .argument('<model>')
  .description('have a parked cycle try again what it is parked on')
  .option('--skip', 'while undoing: leave what cannot be undone as it is, and end')
  .addOption(actor())
  .addOption(json())
  .action(lazily(async () => (await import('./commands/cycle-resume.js')).cycleResume));
cycle
  .command('cancel')
  .argument('<model>')
  .description('end the running cycle; it undoes what it did')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/cycle-cancel.js')).cycleCancel));

const review = program.command('review').description('a sample of answers that is graded blindly');
review
  .command('sample')
  .argument('<model>')
  .description('draw answers of both arms of the newest experiment by chance, of those since the draw before')
  .requiredOption('--per-arm <n>', 'how many of each arm')
  .option('--seed <text>', 'what chance is made from; default: the id of the experiment')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/review-sample.js')).reviewSample));
review
  .command('items')
  .argument('<model>')
  .description('what was drawn and is not graded yet, as JSON lines: texts, and nothing that says which arm')
  .option('--source <name>', 'who grades', 'reviewer')
  .option('--limit <n>', 'at most', '1000')
  .action(lazily(async () => (await import('./commands/review-items.js')).reviewItems));
review
  .command('grade')
  .argument('<model>')
  .argument('<file>', 'JSON lines of {"item", "grade"}, 0 is bad and 1 is good; - for standard input')
  .description('store grades; the latest one of a source counts')
  .option('--source <name>', 'who graded', 'reviewer')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/review-grade.js')).reviewGrade));
review
  .command('status')
  .argument('<model>')
  .description('how many were drawn and graded, and how judges compare with people')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/review-status.js')).showReviewStatus));

const experiment = program.command('experiment').description('experiments');
experiment
  .command('plan')
  .argument('<model>')
  .description('what an experiment can find with the traffic the model has had lately: days, interactions, power')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/experiment-plan.js')).experimentPlan));
experiment
  .command('show')
  .argument('<model>')
  .description('the newest experiment: its looks, and every declared metric in both arms')
  .option('--id <experiment>', 'this experiment, not the newest one')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/experiment-show.js')).experimentShow));
experiment
  .command('explore')
  .argument('<model>')
  .description(
    'the newest A/B test in other lights: adjusted for what people were like before, early against late; decides nothing',
  )
  .option('--id <experiment>', 'this experiment, not the newest one')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/experiment-explore.js')).experimentExplore));

program
  .command('promote')
  .argument('<model>')
  .requiredOption('--candidate <version>', 'the version this is about')
  .requiredOption('--reason <text>', 'why')
  .option('--force', 'also before experiment.min_duration; recorded as forced')
  .option('--wait', 'until it is champion and every gateway follows')
  .option('--timeout <seconds>', 'with --wait: how long, for each of the two', '30')
  .addOption(actor())
  .addOption(json())
  .description('ask the running cycle to promote its candidate')
  .action(lazily(async () => (await import('./commands/promote.js')).promote));
program
  .command('rollback')
  .argument('<model>')
  .requiredOption('--reason <text>', 'why')
  .option('--version <version>', 'where to; default: the previous version')
  .option('--request-id <id>', 'the same id again changes nothing')
  .option('--wait', 'until every gateway follows')
  .option('--timeout <seconds>', 'with --wait: how long', '10')
  .addOption(actor())
  .addOption(json())
  .description('put the traffic back on an earlier version; works with Temporal down')
  .action(lazily(async () => (await import('./commands/rollback.js')).rollback));

program
  .command('verify')
  .argument('<model>')
  .description(
    'check the chain of route changes, make every stored decision again, and recount a live experiment; exit code 1 when something does not fit',
  )
  .addOption(json())
  .action(lazily(async () => (await import('./commands/verify.js')).verify));
program
  .command('doctor')
  .description('check connections, schema and search attributes; exit code 1 when something is wrong')
  .addOption(json())
  .action(lazily(async () => (await import('./commands/doctor.js')).doctor));

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exitCode = 1;
}
