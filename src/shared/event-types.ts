import {
  AGENT,
  CANCELLED,
  ERROR,
  HEALTH,
  INTRODUCTION,
  PROJECT,
  REASON,
  REQUEST,
  STAGE,
  TASK,
  WORKFLOW,
} from './event-fields.js';
import { choice, free, type Schema, text, textOrNull, texts, time } from './schema.js';
import { SEVERITIES } from './words.js';

/** A type of events: what it tells, on which topics, and what its payload holds. */
export interface EventType {
  /** What happened, in a few words. */
  readonly about: string;
  /** The topic it is told on; `{…}` stands for one segment. */
  readonly topic: string;
  /** Fields that every payload of this type has. */
  readonly fields: Readonly<Record<string, Schema>>;
  /** Fields that a payload may have besides. */
  readonly optional?: Readonly<Record<string, Schema>>;
  /** The payload is whatever its sender put there. */
  readonly isFree?: true;
}

/** Every type of events there is: it types the code that writes them, and is what /asyncapi.json shows. */
export const EVENT_TYPES = {
  'agent.registered': {
    about: 'Agent joined the system',
    topic: 'agent.{agent_type}.registered',
    fields: { ...AGENT, ...INTRODUCTION },
  },
  'agent.updated': {
    about: 'Agent was edited, or began a new session',
    topic: 'agent.{agent_type}.updated',
    fields: AGENT,
    optional: { ...INTRODUCTION, ...HEALTH, changed: texts('The fields that were edited.') },
  },
  'agent.status_changed': {
    about: 'Agent status updated',
    topic: 'agent.{agent_type}.status_changed',
    fields: AGENT,
  },
  'agent.deregistered': {
    about: 'Agent left the system',
    topic: 'agent.{agent_type}.deregistered',
    fields: AGENT,
  },
  'task.created': { about: 'Task was created', topic: 'task.{task_type}.created', fields: TASK },
  'task.queued': {
    about: 'Task may be claimed that was blocked, held or ended before',
    topic: 'task.{task_type}.queued',
    fields: { ...TASK, reason: REASON },
  },
  'task.updated': {
    about: 'Task was edited while it waited',
    topic: 'task.{task_type}.updated',
    fields: { ...TASK, changed: texts('The fields that were edited.') },
  },
  'task.assigned': {
    about: 'Task was given to an agent; it alone is shown the lease_token',
    topic: 'task.{task_type}.assigned',
    fields: { ...TASK, task: { type: 'object', description: 'The task, shaped as an item of a claim.' } },
  },
  'task.started': { about: 'Task was started', topic: 'task.{task_type}.started', fields: TASK },
  'task.progress': {
    about: 'Task progress update',
    topic: 'task.{task_type}.progress',
    fields: TASK,
    optional: { details: free('The output so far.') },
  },
  'task.retrying': {
    about: 'An attempt failed, and another one follows',
    topic: 'task.{task_type}.retrying',
    fields: { ...TASK, error: ERROR, next_attempt_at: time('When it may be claimed again.') },
  },
  'task.completed': {
    about: 'Task finished',
    topic: 'task.{task_type}.completed',
    fields: { ...TASK, output_data: free('What it gave.') },
  },
  'task.failed': {
    about: 'Task failed, and no attempt remains',
    topic: 'task.{task_type}.failed',
    fields: { ...TASK, error: ERROR },
  },
  'task.cancelled': {
    about: 'Task was cancelled; its holder may stop',
    topic: 'task.{task_type}.cancelled',
    fields: { ...TASK, reason: REASON },
  },
  'workflow.started': {
    about: 'Workflow execution began',
    topic: 'workflow.started',
    fields: WORKFLOW,
  },
  'workflow.paused': {
    about: 'No stage starts until it is resumed',
    topic: 'workflow.paused',
    fields: WORKFLOW,
  },
  'workflow.resumed': { about: 'Workflow goes on', topic: 'workflow.resumed', fields: WORKFLOW },
  'workflow.retried': {
    about: 'Workflow goes on from its failed stages',
    topic: 'workflow.retried',
    fields: { ...WORKFLOW, details: { type: 'object', description: 'The stages that run again.' } },
  },
  'workflow.compensating': {
    about: 'Completed stages are being undone',
    topic: 'workflow.compensating',
    fields: { ...WORKFLOW, error: ERROR },
    optional: CANCELLED,
  },
  'workflow.completed': {
    about: 'Workflow finished',
    topic: 'workflow.completed',
    fields: WORKFLOW,
    optional: CANCELLED,
  },
  'workflow.failed': {
    about: 'Workflow failed',
    topic: 'workflow.failed',
    fields: { ...WORKFLOW, error: ERROR },
    optional: CANCELLED,
  },
  'workflow.cancelled': {
    about: 'Workflow was cancelled',
    topic: 'workflow.cancelled',
    fields: WORKFLOW,
    optional: CANCELLED,
  },
  'workflow.stage_started': { about: 'Workflow stage began', topic: 'workflow.stage_started', fields: STAGE },
  'workflow.stage_completed': {
    about: 'Workflow stage finished',
    topic: 'workflow.stage_completed',
    fields: { ...STAGE, output: free('What its task gave.') },
  },
  'workflow.stage_failed': {
    about: 'Workflow stage failed',
    topic: 'workflow.stage_failed',
    fields: { ...STAGE, error: ERROR },
  },
  'workflow.stage_skipped': {
    about: 'Workflow stage will not run',
    topic: 'workflow.stage_skipped',
    fields: {
      ...WORKFLOW,
      stage: STAGE.stage,
      details: { type: 'object', description: 'Why it was skipped.' },
    },
  },
  'workflow.stage_compensated': {
    about: 'Workflow stage was undone',
    topic: 'workflow.stage_compensated',
    fields: STAGE,
  },
  'request.created': {
    about: 'An agent is asked; it is in the mailbox of the target, too',
    topic: 'request.created',
    fields: {
      ...REQUEST,
      data: free('What the source sent.'),
      timeout: { type: 'integer', description: 'Seconds.' },
      deadline_at: time('Until when it may be answered.'),
    },
  },
  'request.completed': {
    about: 'A request was answered; it is in the mailbox of the source, too',
    topic: 'request.completed',
    fields: { ...REQUEST, response: { type: 'object', description: 'As the target sent it.' } },
  },
  'request.timed_out': {
    about: 'A request was not answered in time; it is in the mailbox of the source, too',
    topic: 'request.timed_out',
    fields: REQUEST,
  },
  'message.sent': {
    about: 'A message, in the mailbox of its target alone; its sender may have given it another type',
    topic: 'message.sent',
    fields: {},
    isFree: true,
  },
  'message.published': {
    about: 'A publication, on the topic that its publisher chose',
    topic: '{topic}',
    fields: {},
    isFree: true,
  },
  'message.expired': {
    about: 'A message was not acknowledged within its ttl; it is in the mailbox of its sender, too',
    topic: 'message.expired',
    fields: {
      message_id: text('The message.'),
      source_agent: textOrNull('Who sent it.'),
      target_agent: text('Who never read it.'),
      expires_at: time('When its ttl was over.'),
      project_id: PROJECT,
    },
  },
  'system.alert': {
    about: 'System-wide notification',
    topic: 'system.alerts',
    fields: {
      severity: choice('How bad it is.', SEVERITIES),
      message: text('For people, with what to do about it.'),
      details: { type: 'object', description: 'The facts.' },
    },
  },
} as const satisfies Readonly<Record<string, EventType>>;

/** The name of a type of events. */
export type EventTypeName = keyof typeof EVENT_TYPES;

/** The types of events of one kind of thing. */
export type EventTypesOf<Kind extends string> = Extract<EventTypeName, `${Kind}.${string}`>;
