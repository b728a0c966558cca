import { Injectable } from '@nestjs/common';
import { toDomainError } from '../platform/http/error-mapping.js';
import type { ErrorDetails } from '../shared/domain-error.js';
import type { AgentKey } from '../agents/index.js';
import { ClaimsService } from './claims.service.js';
import { TaskReads } from './task-reads.service.js';
import { taskView, type ClaimedTask, type TaskView } from './task-view.js';
import type { TaskKey } from './persistence/task-rows.js';
import { TasksService, type Actor, type FencedReport } from './tasks.service.js';

/** One report of several. */
export interface NamedReport extends FencedReport {
  readonly task_id: string;
  /** Where the task is, for agents that serve all projects; else it is looked up. */
  readonly project_id?: string;
}

export type ReportAnswer =
  | { readonly task_id: string; readonly ok: true; readonly task: TaskView }
  | {
      readonly task_id: string;
      readonly ok: false;
      readonly error: { code: string; message: string; details: ErrorDetails };
    };

/** Many reports in one call, and the next claim with them: they share a batch, so the claim sees the freed capacity. */
@Injectable()
export class ReportsService {
  constructor(
    private readonly tasks: TasksService,
    private readonly claims: ClaimsService,
    private readonly reads: TaskReads,
  ) {}

  async take(
    key: AgentKey,
    asAgent: string | null,
    reports: readonly NamedReport[],
    claim: { readonly max: number; readonly sessionEpoch?: number } | undefined,
    bytes: number,
    gone: AbortSignal,
  ): Promise<{ items: ReportAnswer[]; claimed?: ClaimedTask[] }> {
    const each = Math.ceil(bytes / reports.length);
    const places = await Promise.allSettled(
      reports.map((report) => this.reads.locate(report.project_id ?? key.projectId, report.task_id)),
    );
    // Submitted in one go, the claim last: it sees the capacity that the reports free.
    const actor = { agentId: asAgent, projectId: key.projectId };
    const answers = reports.map((report, index) => this.one(report, places[index], actor, each));
    const claimed = claim === undefined ? undefined : this.claims.now(key, { ...claim, waitMs: 0 }, gone);
    const [items, next] = await Promise.all([Promise.all(answers), claimed]);
    return next === undefined ? { items } : { items, claimed: next };
  }

  private async one(
    { task_id: id, project_id: _place, ...told }: NamedReport,
    place: PromiseSettledResult<TaskKey> | undefined,
    actor: Actor,
    bytes: number,
  ): Promise<ReportAnswer> {
    try {
      if (place?.status !== 'fulfilled') throw place?.reason;
      const task = await this.tasks.report(place.value, told, actor, bytes);
      return { task_id: id, ok: true, task: taskView(task) };
    } catch (error) {
      const { code, message, details } = toDomainError(error);
      return { task_id: id, ok: false, error: { code, message, details } };
    }
  }
}
