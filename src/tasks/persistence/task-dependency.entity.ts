import { Entity, PrimaryColumn } from 'typeorm';

@Entity('task_dependencies')
export class TaskDependencyEntity {
  @PrimaryColumn('text') task_id: string;
  @PrimaryColumn('text') project_id: string;
  @PrimaryColumn('text') depends_on: string;
}
