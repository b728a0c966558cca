import { Patience } from '../../platform/http/patience.js';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { projectForRead } from '../../auth/index.js';
import { Messages, type Session } from '../../events/index.js';
import { DomainError } from '../../shared/domain-error.js';
import type { AgentKey } from '../../agents/index.js';
import { ClaimsService } from '../claims.service.js';
import { changeOf, actorOf } from '../task-change.js';
import { ClaimDto, TaskReportDto } from '../dto/report-task.dto.js';
import { TaskReads } from '../task-reads.service.js';
import { taskView, type ClaimedTask, type TaskView } from '../task-view.js';
import { TasksService } from '../tasks.service.js';
import { ReadyDto } from './ready.dto.js';
import { ReadySockets } from './ready-sockets.js';

/** What a report over a socket weighs, roughly, for the bounds of batch and queue. */
const REPORT_BYTES = 2_048;

/** The messages that agents send about work: ready, claim, report. The same services as over HTTP. */
@Injectable()
export class TaskMessages implements OnModuleInit {
  constructor(
    private readonly messages: Messages,
    private readonly readySockets: ReadySockets,
    private readonly claims: ClaimsService,
    private readonly tasks: TasksService,
    private readonly reads: TaskReads,
  ) {}

  onModuleInit(): void {
    this.messages.register({
      name: 'ready',
      about: 'From now on work is pushed to this socket, up to `capacity` tasks at once; 0 stops it',
      scopes: ['tasks:execute'],
      dto: ReadyDto,
      handle: (session, { capacity }) => this.readySockets.ready(session, capacity),
    });
    this.messages.register({
      name: 'claim',
      about: 'Claims work, as POST /agents/{id}/claim',
      scopes: ['tasks:execute'],
      dto: ClaimDto,
      handle: (session, body) => this.claim(session, body),
    });
    this.messages.register({
      name: 'report',
      about: 'Reports on a task, as PATCH /tasks/{id}',
      scopes: ['tasks:execute'],
      dto: TaskReportDto,
      handle: (session, body) => this.report(session, body),
    });
  }

  private async claim(session: Session, body: ClaimDto): Promise<{ items: ClaimedTask[] }> {
    const gone = new Patience();
    const forget = session.onClose(() => gone.end());
    const ask = { max: body.max_tasks ?? 1, waitMs: body.wait_ms ?? 0, sessionEpoch: body.session_epoch };
    try {
      return { items: await this.claims.claim(agentOf(session), ask, gone) };
    } finally {
      forget();
    }
  }

  private async report(
    { caller }: Session,
    { task_id: id, project_id: project, ...body }: TaskReportDto,
  ): Promise<TaskView> {
    const key = await this.reads.locate(projectForRead(caller, { body: project }), id);
    const change = changeOf(caller, body);
    if (change.kind === 'edit') throw new DomainError('FORBIDDEN', 'A socket reports; it does not edit.');
    return taskView(await this.tasks.report(key, change.report, actorOf(caller), REPORT_BYTES));
  }
}

function agentOf({ caller }: Session): AgentKey {
  if (caller.agentId === null) throw new DomainError('FORBIDDEN', 'Only an agent’s own socket can claim.');
  return { id: caller.agentId, projectId: caller.projectId };
}
