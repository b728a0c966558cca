import { ApiProperty } from '@nestjs/swagger';

export class LiveReport {
  @ApiProperty({ enum: ['live'] })
  status: 'live';
}

export class HealthReport {
  @ApiProperty({ enum: ['ready', 'not_ready'] })
  status: 'ready' | 'not_ready';

  @ApiProperty({
    description: 'Each thing that must work.',
    type: 'object',
    additionalProperties: { type: 'string', enum: ['ok', 'failed'] },
    example: { accepting: 'ok', database: 'ok' },
  })
  checks: Readonly<Record<string, 'ok' | 'failed'>>;
}
