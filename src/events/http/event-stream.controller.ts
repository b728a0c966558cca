import { Controller, Get, Headers, Query, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  Caller,
  ConnectedCallers,
  Named,
  type NamedProject,
  projectForRead,
  Scopes,
} from '../../auth/index.js';
import { Drain } from '../../platform/health/drain.service.js';
import { ConfigureRoute } from '../../platform/http/route-config.decorator.js';
import { DomainError } from '../../shared/domain-error.js';
import { decodeCursor } from '../domain/cursor.js';
import { topicPattern } from '../domain/topic-pattern.js';
import { Envelopes } from '../envelope.js';
import { EventStreams } from '../event-stream.js';
import { EventSource } from './event-source.js';
import { EventStreamQuery } from './events.dto.js';

const LAST_EVENT_ID = 'Last-Event-ID';

@ApiTags('events')
@Controller('api/v1/events/stream')
export class EventStreamController {
  constructor(
    private readonly streams: EventStreams,
    private readonly envelopes: Envelopes,
    private readonly callers: ConnectedCallers,
    private readonly drain: Drain,
  ) {}

  @Get()
  @Scopes('events:read')
  @ConfigureRoute({ isStream: true, takesQueryToken: true })
  @ApiHeader({
    name: LAST_EVENT_ID,
    required: false,
    description: 'Cursor of the last event that has come; it goes before `after`.',
    schema: { type: 'string', minLength: 1, maxLength: 1024, format: 'cursor' },
  })
  @ApiOkResponse({
    description:
      'Server-Sent Events until the client leaves or its token ends: `id` is the cursor, `data` the envelope. `gap`, ' +
      '`replay_complete` and `error` come with an `event:` line and no id. A comment every 15 s while nothing happens.',
    content: { 'text/event-stream': { schema: { type: 'string' } } },
  })
  @ApiOperation({ summary: 'Stream the log as Server-Sent Events: from a cursor on, then live' })
  async open(
    @Caller() caller: Caller,
    @Named() named: NamedProject,
    @Query() query: EventStreamQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Headers(LAST_EVENT_ID) lastEventId?: string,
  ): Promise<void> {
    const selection = {
      projectId: projectForRead(caller, named),
      patterns: (query.topics ?? ['#']).map((topic) => topicPattern(topic, '/topics')),
      filter: {},
      correlationId: query.correlation_id,
    };
    const from = lastEventId ?? query.after;
    const after =
      from === undefined ? undefined : decodeCursor(from, lastEventId === undefined ? '/after' : '');
    await this.callers.assertPresent(caller);
    if (request.method === 'HEAD') {
      await reply.type('text/event-stream; charset=utf-8').send('');
      return;
    }
    const source = new EventSource(reply.hijack().raw, reply.getHeaders(), request.id);
    const stream = this.streams.open(
      {
        selection,
        event: (event) => source.send(this.envelopes.of(event)),
        gap: (gap) => source.gap(gap),
        replayed: (cursor) => source.replayed(cursor),
        broken: () => source.close(new DomainError('SERVICE_UNAVAILABLE', 'The log cannot be read now.')),
        ready: () => source.ready(),
      },
      after,
    );
    source.begin(stream.cursor);
    const watch = this.callers.connected(caller, (reason) => source.close(reason));
    const forget = this.drain.onStart(() => source.close());
    source.onClose(() => {
      stream.close();
      watch.forget();
      forget();
    });
  }
}
