import { choice, type Schema, text, textOrNull, texts } from './schema.js';
import {
  AGENT_STATUSES,
  HEALTHS,
  PRIORITIES,
  REQUEST_STATUSES,
  TASK_STATUSES,
  WORKFLOW_STATUSES,
} from './words.js';

// What the payloads of several types of events have in common.

export const PROJECT = text('The project it is of; * for agents that serve all.');
export const ERROR: Schema = {
  type: ['object', 'null'],
  description: 'Why, with a code and a message.',
  properties: { code: { type: 'string' }, message: { type: 'string' } },
  required: ['code', 'message'],
};
export const REASON = text('Why.');

export const AGENT = {
  agent_id: text('The agent.'),
  type: text('Its agent type.'),
  status: choice('What it is now.', AGENT_STATUSES),
  previous_status: {
    ...textOrNull('What it was before; null for a new agent.'),
    enum: [...AGENT_STATUSES, null],
  },
  project_id: PROJECT,
};
export const INTRODUCTION = {
  name: textOrNull('As it was registered.'),
  version: textOrNull('As it was registered.'),
  capabilities: texts('As it was registered.'),
  session_epoch: { type: 'integer', description: 'The session that began.' },
};

export const HEALTH = {
  health: choice('What the last probes of its health_check_url came to.', HEALTHS),
  health_reason: textOrNull('Why it is not healthy.'),
};

export const TASK = {
  task_id: text('The task.'),
  type: text('Its task type.'),
  status: choice('What it is now.', TASK_STATUSES),
  priority: choice('As it was created, or edited.', PRIORITIES),
  progress: { type: ['number', 'null'], description: 'Per cent.' },
  attempt: { type: 'integer', description: 'Attempts so far, this one included.' },
  assigned_agent: textOrNull('Who holds it, or is the only one that may.'),
  parent_workflow_id: textOrNull('The workflow it belongs to.'),
  project_id: PROJECT,
};

export const WORKFLOW = {
  workflow_id: text('The workflow.'),
  name: text('Its name.'),
  status: choice('What it is now.', WORKFLOW_STATUSES),
};
export const STAGE = {
  ...WORKFLOW,
  stage: text('The stage.'),
  task_id: textOrNull('The task of the stage.'),
};
export const CANCELLED = {
  details: { type: 'object', description: 'What was cancelled or undone with it.' },
};

export const REQUEST = {
  request_id: text('The request.'),
  type: text('What is asked for.'),
  status: choice('What it is now.', REQUEST_STATUSES),
  source: textOrNull('The agent that asks.'),
  target: text('The agent that is asked.'),
  project_id: PROJECT,
};
