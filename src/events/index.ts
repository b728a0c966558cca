export { EventsModule } from './events.module.js';
export { type Envelope, Envelopes } from './envelope.js';
export { EventLog } from './event-log.js';
export { EventRouter } from './event-router.js';
export { type Message, Messages } from './realtime/messages.js';
export { type Alert, systemAlert } from './system-alert.js';
export { openMailbox } from './persistence/mailbox-rows.js';
export type { Session } from './realtime/session.js';
