import { schemaOfDto } from '../platform/http/dto-schema.js';
import { EVENT_TYPES, type EventType } from '../shared/event-types.js';
import {
  ACKNOWLEDGEMENT,
  CONTROL_SCHEMAS,
  ENVELOPE,
  ERROR,
  eventSchema,
  schemaRef,
} from './asyncapi-schemas.js';
import type { KnownMessage } from './realtime/messages.js';

/** Where clients find the server that shows the document. */
export interface Origin {
  readonly host: string;
  readonly secure: boolean;
}

type Part = Readonly<Record<string, unknown>>;

const ref = (path: string): Part => ({ $ref: `#/${path}` });

/** Everything that is told and asked without HTTP's question and answer, as AsyncAPI 3.0 (spec.asyncapi.com). */
export function asyncApiDocument(messages: readonly KnownMessage[], origin: Origin): Part {
  const events = Object.entries<EventType>(EVENT_TYPES);
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Parley events',
      version: '1',
      license: { name: 'MIT', url: 'https://opensource.org/license/mit' },
      description: ABOUT,
    },
    defaultContentType: 'application/json',
    servers: serversOf(origin),
    channels: {
      ...Object.fromEntries(events.map(([type, event]) => [type, topicChannel(type, event)])),
      ...Object.fromEntries(CONTROLS.map(([name, about]) => [name, controlChannel(name, about)])),
      ...Object.fromEntries(messages.map((message) => [message.name, commandChannel(message)])),
    },
    operations: {
      ...Object.fromEntries(events.map(([type, { about }]) => [`tell-${type}`, tells(type, about)])),
      ...Object.fromEntries(CONTROLS.map(([name, about]) => [`tell-${name}`, tells(name, about)])),
      ...Object.fromEntries(messages.map((message) => [`take-${message.name}`, takes(message)])),
    },
    components: {
      messages: Object.fromEntries(
        events.map(([type, { about }]) => [
          type,
          { name: 'event', title: type, summary: about, payload: schemaRef(type) },
        ]),
      ),
      schemas: {
        envelope: ENVELOPE,
        acknowledgement: ACKNOWLEDGEMENT,
        error: ERROR,
        ...CONTROL_SCHEMAS,
        ...Object.fromEntries(events.map(([type, event]) => [type, eventSchema(type, event)])),
        ...Object.fromEntries(messages.map(({ name, dto }) => [`${name}-body`, schemaOfDto(dto)])),
      },
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'From POST /api/v1/auth/token. A socket sends it as `auth.token` in its handshake.',
        },
      },
    },
  };
}

function serversOf({ host, secure }: Origin): Part {
  const security = [ref('components/securitySchemes/token')];
  return {
    socket: {
      host,
      pathname: '/ws',
      protocol: secure ? 'wss' : 'ws',
      security,
      description:
        'Socket.IO 4. The handshake is `auth: {token, after?, batch?}`; with `batch: true` several events come as one `events` frame.',
    },
    stream: {
      host,
      pathname: '/api/v1/events/stream',
      protocol: secure ? 'https' : 'http',
      security,
      description:
        'Server-sent events: `id` is the cursor, `data` the envelope. The same log is in pages at /api/v1/events.',
    },
  };
}

function topicChannel(type: string, { topic, about }: EventType): Part {
  const parameters = [...topic.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [
    name,
    { description: PARAMETERS[name] },
  ]);
  return {
    address: topic,
    title: type,
    description: about,
    servers: [ref('servers/socket'), ref('servers/stream')],
    ...(parameters.length === 0 ? {} : { parameters: Object.fromEntries(parameters) as Part }),
    messages: { [type]: ref(`components/messages/${type}`) },
  };
}

function controlChannel(name: string, about: string): Part {
  const message = { name, title: name, summary: about, payload: schemaRef(name) };
  return {
    address: name,
    title: name,
    description: about,
    servers: [ref('servers/socket'), ref('servers/stream')],
    messages: { [name]: message },
  };
}

function commandChannel({ name, about, scopes }: KnownMessage): Part {
  return {
    address: name,
    title: name,
    description: `${about}. Needs ${scopes.length === 0 ? 'no scope' : `one of the scopes ${scopes.join(', ')}`}.`,
    servers: [ref('servers/socket')],
    messages: {
      [name]: { name, title: name, summary: about, payload: schemaRef(`${name}-body`) },
      acknowledgement: {
        name: 'acknowledgement',
        title: `Acknowledgement of ${name}`,
        payload: schemaRef('acknowledgement'),
      },
    },
  };
}

function tells(name: string, summary: string): Part {
  return {
    action: 'send',
    summary,
    channel: ref(`channels/${name}`),
    messages: [ref(`channels/${name}/messages/${name}`)],
  };
}

function takes({ name, about }: KnownMessage): Part {
  const channel = ref(`channels/${name}`);
  return {
    action: 'receive',
    summary: about,
    channel,
    messages: [ref(`channels/${name}/messages/${name}`)],
    reply: { channel, messages: [ref(`channels/${name}/messages/acknowledgement`)] },
  };
}

const ABOUT =
  'What Parley tells as it happens, and what sockets may ask. Every event is in one log and has a cursor: whoever comes ' +
  'back with the last cursor it saw misses nothing. Topics are matched by patterns, `*` for one segment and `#` for the rest; ' +
  'a pattern is held against the topic and the event type.';

const PARAMETERS: Readonly<Record<string, string>> = {
  agent_type: 'The type of the agent.',
  task_type: 'The type of the task.',
  topic: 'What the publisher chose; up to eight segments.',
};

const CONTROLS = [
  ['gap', 'Events between the two cursors are not there any more, or were of another log'],
  ['replay_complete', 'The past is told; what follows is live'],
  ['error', 'Something was refused, or the connection ends'],
] as const;
