// How the demo shows events and sums up: plain lines, coloured only on a terminal.
import { styleText } from 'node:util';

const colours = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (style, text) => (colours ? styleText(style, text) : text);

const STYLE = { completed: 'green', stage_completed: 'green', failed: 'red', retrying: 'yellow' };

/** One event as one line: when, what, of which stage or agent, and what it says. */
export function eventLine({ timestamp, event_type, payload }, stagesDone) {
  const [, what] = event_type.split('.');
  const type = paint(STYLE[what] ?? 'cyan', event_type.padEnd(25));
  const subject = (payload.stage ?? payload.agent_id ?? payload.type ?? payload.name).padEnd(22);
  return `${paint('dim', timestamp.slice(11, 23))}  ${type} ${subject} ${says(what, payload, stagesDone)}`.trimEnd();
}

function says(what, payload, stagesDone) {
  switch (what) {
    case 'registered':
      return `${payload.type}, ${payload.status}`;
    case 'assigned':
      return `to ${payload.assigned_agent}, attempt ${payload.attempt}`;
    case 'progress':
      return `${bar(payload.progress)}  ${payload.details?.current_operation ?? ''}`;
    case 'retrying':
      return `${payload.error.code}: ${payload.error.message}`;
    case 'failed':
    case 'stage_failed':
      return payload.error?.message ?? '';
    case 'stage_completed':
      return stagesDone;
    default:
      return '';
  }
}

function bar(progress) {
  const full = Math.round(progress / 5);
  return `${'#'.repeat(full)}${'.'.repeat(20 - full)} ${String(progress).padStart(3)} %`;
}

/** A line per stage: how it ended, in how many attempts, by whom, in which time. */
export function summary(workflow, attemptsOf) {
  const rows = workflow.stages.map((stage) => {
    const attempts = attemptsOf.get(stage.name);
    const agents = [...new Set(attempts.map((one) => one.agent_id))].join(', ');
    const time = stage.ended_at ? seconds(stage.started_at, stage.ended_at) : '';
    return [stage.name, stage.status, String(attempts.length), agents, time];
  });
  const table = [['stage', 'status', 'attempts', 'by', 'took'], ...rows];
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  const lines = table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
  return [paint('bold', lines[0]), ...lines.slice(1)].join('\n');
}

export const seconds = (from, to) => `${((Date.parse(to) - Date.parse(from)) / 1000).toFixed(1)} s`;
