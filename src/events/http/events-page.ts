import { schemaOfDto } from '../../platform/http/dto-schema.js';
import { EVENT_TYPES, type EventType } from '../../shared/event-types.js';
import type { Schema } from '../../shared/schema.js';
import { CONTROL_SCHEMAS, ENVELOPE } from '../asyncapi-schemas.js';
import type { KnownMessage } from '../realtime/messages.js';

/** /asyncapi.json for people: one page, without scripts. */
export function eventsPage(messages: readonly KnownMessage[]): string {
  const events = Object.entries<EventType>(EVENT_TYPES);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Parley events</title><style>${STYLE}</style></head><body><main>
<h1>Parley events</h1>
<p>What is told as it happens, and what sockets may ask: ${link('/asyncapi.json', 'AsyncAPI 3.0')}. REST is at ${link('/docs', '/docs')}.</p>
<nav>${[...events.map(([type]) => type), ...messages.map(({ name }) => name)].map((name) => link(`#${name}`, name)).join(' ')}</nav>
<h2 id="envelope">Every event</h2>
<p>One envelope on every channel: Socket.IO at <code>/ws</code>, server-sent events at <code>/api/v1/events/stream</code>, pages at <code>/api/v1/events</code>, webhooks.</p>
${fieldsTable(ENVELOPE)}
<h2>Events</h2>
${events.map(([type, event]) => eventSection(type, event)).join('\n')}
<h2>Between the events</h2>
${Object.entries(CONTROL_SCHEMAS)
  .map(([name, schema]) => section(name, '', '', fieldsTable(schema)))
  .join('\n')}
<h2>What sockets may ask</h2>
<p>Each is answered by an acknowledgement: <code>{ok: true, data}</code>, or <code>{ok: false, error}</code>.</p>
${messages.map(messageSection).join('\n')}
</main></body></html>
`;
}

function eventSection(type: string, { about, topic, fields, optional, isFree }: EventType): string {
  const payload = isFree
    ? '<p>The payload is what its sender put there.</p>'
    : fieldsTable({ required: Object.keys(fields), properties: { ...fields, ...optional } });
  return section(type, about, `Topic <code>${escaped(topic)}</code>`, payload);
}

function messageSection({ name, about, scopes, dto }: KnownMessage): string {
  const needs = `Scope ${scopes.map((scope) => `<code>${escaped(scope)}</code>`).join(' or ')}`;
  return section(name, about, needs, fieldsTable(schemaOfDto(dto)));
}

function section(name: string, about: string, facts: string, body: string): string {
  return `<section id="${escaped(name)}"><h3>${escaped(name)}</h3><p>${escaped(about)}${about === '' ? '' : '. '}${facts}</p>${body}</section>`;
}

function fieldsTable({ properties, required }: Schema): string {
  const names = new Set(Array.isArray(required) ? required : []);
  const rows = Object.entries((properties ?? {}) as Readonly<Record<string, Schema>>).map(
    ([name, schema]) =>
      `<tr><td><code>${escaped(name)}</code></td><td>${escaped(kindOf(schema))}${names.has(name) ? '' : ', optional'}</td><td>${escaped(aboutOf(schema))}</td></tr>`,
  );
  return rows.length === 0
    ? ''
    : `<table><thead><tr><th>Field</th><th>Type</th><th>Meaning</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
}

function kindOf({ type, enum: values }: Schema): string {
  if (Array.isArray(values)) return values.map(String).join(' | ');
  return type === undefined ? 'any' : [type].flat().map(String).join(' | ');
}

const aboutOf = ({ description }: Schema): string => (typeof description === 'string' ? description : '');

const link = (to: string, text: string): string => `<a href="${escaped(to)}">${escaped(text)}</a>`;

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

const STYLE = `:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:0}
main{max-width:60rem;margin:auto;padding:1rem}nav a{display:inline-block;margin-right:.6rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.25rem .5rem;border-bottom:1px solid #8884}
section{margin:1.5rem 0}h3{margin:0;font-family:ui-monospace,monospace}p{margin:.3rem 0}`;
