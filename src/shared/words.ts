// The states and grades that clients see: for the code that decides them, for what is told of them, and for the documents.

export const AGENT_STATUSES = ['active', 'busy', 'draining', 'suspect', 'offline'] as const;

export const HEALTHS = ['healthy', 'unhealthy', 'unknown'] as const;

export const TASK_STATUSES = [
  'blocked',
  'queued',
  'assigned',
  'in_progress',
  'completed',
  'failed',
  'cancelled',
] as const;

export const PRIORITIES = ['low', 'normal', 'high', 'critical'] as const;

export const WORKFLOW_STATUSES = [
  'pending',
  'running',
  'paused',
  'compensating',
  'completed',
  'failed',
  'cancelled',
] as const;

export const REQUEST_STATUSES = ['pending', 'answered', 'timed_out'] as const;

export const SEVERITIES = ['info', 'warning', 'critical'] as const;
