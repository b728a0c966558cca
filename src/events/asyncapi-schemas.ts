import type { EventType } from '../shared/event-types.js';
import type { Schema } from '../shared/schema.js';

/** A reference to a schema of the document. */
export const schemaRef = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

/** The whole envelope of one type of events. */
export function eventSchema(type: string, { about, fields, optional, isFree }: EventType): Schema {
  const payload = isFree
    ? { type: 'object' }
    : {
        type: 'object',
        required: Object.keys(fields),
        properties: { ...fields, ...optional },
        additionalProperties: false,
      };
  // What agents say to each other has the type that its sender gave it.
  const named = type === 'message.sent' ? {} : { event_type: { const: type } };
  return { description: about, allOf: [schemaRef('envelope'), { properties: { ...named, payload } }] };
}

const TEXT = { type: 'string' };
const TEXT_OR_NULL = { type: ['string', 'null'] };
/** Of a socket: what it is about. A stream of Server-Sent Events is about one thing only. */
const ABOUT = {
  subscription_id: { ...TEXT, description: 'Of a socket: the subscription it is about.' },
  subscription_ids: {
    type: 'array',
    items: TEXT,
    description: 'Of a socket: the stored subscriptions of its agent that it is about.',
  },
  mailbox: { ...TEXT, description: 'Of a socket: the agent whose mailbox it is about.' },
};

export const ENVELOPE: Schema = {
  type: 'object',
  required: [
    'id',
    'timestamp',
    'event_type',
    'source_agent',
    'target_agent',
    'correlation_id',
    'payload',
    'topic',
    'project_id',
    'seq',
    'cursor',
  ],
  properties: {
    id: { ...TEXT, description: 'The same however often it is delivered.' },
    timestamp: { ...TEXT, format: 'date-time', description: 'Of the database, UTC with milliseconds.' },
    event_type: TEXT,
    source_agent: { ...TEXT_OR_NULL, description: 'The agent whose call it was.' },
    target_agent: { ...TEXT_OR_NULL, description: 'The agent it is addressed to.' },
    correlation_id: TEXT,
    payload: { type: 'object' },
    topic: TEXT,
    project_id: TEXT,
    seq: { type: 'integer', minimum: 1, description: 'Gapless per aggregate.' },
    cursor: { ...TEXT, description: 'Opaque; orders the whole log.' },
  },
};

export const ERROR: Schema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message', 'details', 'correlation_id', 'timestamp'],
      properties: {
        code: TEXT,
        message: TEXT,
        details: { type: 'object' },
        correlation_id: TEXT,
        timestamp: { ...TEXT, format: 'date-time' },
      },
    },
  },
};

export const ACKNOWLEDGEMENT: Schema = {
  oneOf: [
    {
      type: 'object',
      required: ['ok', 'data'],
      properties: { ok: { const: true }, data: { description: 'What the message answers.' } },
    },
    { allOf: [schemaRef('error'), { required: ['ok'], properties: { ok: { const: false } } }] },
  ],
};

export const CONTROL_SCHEMAS: Readonly<Record<string, Schema>> = {
  gap: {
    type: 'object',
    required: ['from', 'to'],
    properties: {
      from: { ...TEXT, description: 'The cursor that was given.' },
      to: { ...TEXT, description: 'The cursor from which it goes on.' },
      ...ABOUT,
    },
  },
  replay_complete: {
    type: 'object',
    required: ['cursor'],
    properties: {
      cursor: { ...TEXT, description: 'All that is wanted up to here is told, however little that was.' },
      ...ABOUT,
    },
  },
};
