import { ApiProperty } from '@nestjs/swagger';
import { IdField, TextField } from '../../platform/http/fields.js';
import { PageQuery } from '../../platform/http/list-query.dto.js';

const SCOPE_EXAMPLE = 'tasks:read tasks:write';

export class CreateClient {
  @TextField({ about: 'For people.', max: 200, example: 'Orchestrator' })
  name: string;

  @TextField({
    about: 'The project it is bound to, or `*`.',
    max: 128,
    pattern: /^(\*|[A-Za-z0-9][A-Za-z0-9._-]*)$/,
    default: 'default',
    example: 'proj-456',
  })
  project_id: string;

  @TextField({ about: 'Space-separated. `admin` needs project `*`.', max: 1000, example: SCOPE_EXAMPLE })
  scope: string;
}

export class ClientsQuery extends PageQuery {
  @IdField({ about: 'Only this project.', optional: true, example: 'proj-456' })
  project_id?: string;
}

export class ClientResource {
  @ApiProperty({ example: '01934b1c-7a52-7c3e-9d6f-0a1b2c3d4e5f' })
  client_id: string;

  @ApiProperty({ example: 'Orchestrator' })
  name: string;

  @ApiProperty({ example: 'proj-456' })
  project_id: string;

  @ApiProperty({ enum: ['admin', 'client', 'agent'] })
  kind: string;

  @ApiProperty({ type: String, nullable: true, description: 'The agent that it belongs to.' })
  agent_id: string | null;

  @ApiProperty({ example: SCOPE_EXAMPLE })
  scope: string;

  @ApiProperty({ type: String, format: 'date-time' })
  created_at: string;
}

export class CreatedClient extends ClientResource {
  @ApiProperty({ description: 'Shown this once.' })
  client_secret: string;
}
