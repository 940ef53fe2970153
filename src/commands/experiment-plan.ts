import { UnderstudyError } from '../errors.js';
import { planFromTraffic } from '../experiments/index.js';
import { parsePolicy } from '../policy/index.js';
import { show, table } from './output.js';
import { withDb } from './with-db.js';

/** What an experiment under the model's policy can be expected to do with the traffic the model has had lately. */
export async function experimentPlan(model: string, options: { json?: boolean }): Promise<void> {
  const report = await withDb(async (db) => {
    const stored = await db.prisma.model.findUnique({ where: { name: model } });
    if (stored === null) throw new UnderstudyError('unknown_model', { model });
    return planFromTraffic(db, parsePolicy(stored.policy), new Date());
  });
  show(options.json ?? false, report, () => {
    const { traffic, plan, effects, warning, share, maxDays, targetEffect, power, test, primary } = report;
    const seen = `${traffic.interactions} interactions with a subject in ${days(traffic.days)} days, ${traffic.outcomes} ${primary === undefined ? 'rated' : `with ${primary.name}`} (${percent(traffic.ratingRate)}) by ${traffic.subjects} subjects`;
    if (plan === null) return `${model}: ${seen}.\nWARNING: ${warning}`;
    const { expectedDays, informationAtEnd, maxInformation, shareToFinish, detectable } = plan;
    return [
      `${model}: ${seen}.`,
      primary?.type === 'number'
        ? `${primary.name} ${traffic.positive?.toPrecision(4)} on average, variance of one measurement ${traffic.variance?.toPrecision(4)}.`
        : `${primary === undefined ? 'Positive' : `Good by ${primary.name}`} ${percent(traffic.positive)}; ratings of one subject correlate by ${traffic.correlation?.toFixed(2)}, design effect ${traffic.design?.toFixed(2)}.`,
      `Rule ${test}, share ${share}, at most ${days(maxDays)} days: information ${informationAtEnd.toFixed(0)} of ${maxInformation.toFixed(0)} by then.`,
      `If it is better by ${points(targetEffect, primary)}: promoted in ${percent(plan.power)} of cases, after ${days(expectedDays.atTarget)} days on average; if it is no better, ${days(expectedDays.atNone)} days.`,
      `Found with power ${percent(power)}: ${detectable === null ? 'nothing' : `${points(detectable, primary)} or more`}. Floors hold after ${days(plan.daysToFloors)} days.`,
      `Smallest share that finishes: ${shareToFinish === null ? 'none' : shareToFinish.toFixed(3)}.`,
      table(
        ['effect', 'power', 'days', 'interactions'],
        effects.map((row) => [points(row.effect, primary), percent(row.power), days(row.days), row.interactions]),
      ),
      warning === null ? 'It can finish.' : `WARNING: ${warning}`,
    ].join('\n');
  });
}

function days(count: number): string {
  return Number.isFinite(count) ? count.toFixed(1) : 'never';
}

function percent(share: number | null): string {
  return share === null ? 'unknown' : `${(100 * share).toFixed(1)}%`;
}

function points(effect: number, primary: { type: string } | undefined): string {
  if (primary?.type === 'number') return Number(effect.toPrecision(4)).toString();
  return `+${(100 * effect).toFixed(1)} pp`;
}
