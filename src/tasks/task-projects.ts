import { Injectable } from '@nestjs/common';
import { projectForWrite, type Caller, type NamedProject } from '../auth/index.js';
import { DomainError } from '../shared/domain-error.js';
import { ANY_PROJECT } from '../shared/ids.js';
import { onlyProject } from '../shared/only-project.js';
import { ParentWorkflows } from './parent-workflows.port.js';

/** Which project a new task goes to (CONTRACT §2): the token's, else the one named, else its workflow's, else `default`. */
@Injectable()
export class TaskProjects {
  constructor(private readonly parents: ParentWorkflows) {}

  async forWrite(caller: Caller, named: NamedProject, parentWorkflowId: string | undefined): Promise<string> {
    const isNamed = [named.body, named.query, named.header].some((one) => one !== undefined && one !== null);
    if (caller.projectId !== ANY_PROJECT || isNamed || parentWorkflowId === undefined) {
      return projectForWrite(caller, named);
    }
    const projects = await this.parents.projectsOf(parentWorkflowId);
    // No workflow at all is refused with the task's other facts, in whatever project it goes to.
    const only = projects.length === 0 ? undefined : onlyProject('workflow', parentWorkflowId, projects);
    return projectForWrite(caller, named, only);
  }

  /** A batch goes to one project. @throws DomainError VALIDATION_FAILED when its tasks name several */
  async forBatch(
    caller: Caller,
    named: NamedProject,
    tasks: readonly { readonly project_id?: string; readonly parent_workflow_id?: string }[],
  ): Promise<string> {
    const [inBody, ...others] = [...new Set(tasks.flatMap((task) => task.project_id ?? []))];
    if (others.length > 0)
      throw new DomainError('VALIDATION_FAILED', 'The tasks of a batch belong to one project.');
    const parent = tasks.find((task) => task.parent_workflow_id !== undefined)?.parent_workflow_id;
    return this.forWrite(caller, { ...named, body: inBody }, parent);
  }
}
