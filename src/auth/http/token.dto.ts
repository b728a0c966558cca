import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

export class TokenRequestBody {
  @ApiPropertyOptional({ enum: ['client_credentials'], default: 'client_credentials' })
  grant_type?: string;

  @ApiPropertyOptional({ description: 'Absent with HTTP Basic.', example: 'agent-001' })
  client_id?: string;

  @ApiPropertyOptional({ description: 'Absent with HTTP Basic.', example: 'secret-key' })
  client_secret?: string;

  @ApiPropertyOptional({
    description: 'Space-separated; absent: all that the client has.',
    example: 'tasks:read tasks:execute',
  })
  scope?: string;

  @ApiPropertyOptional({ example: 'base64-encoded-cert' })
  certificate?: string;
}

export class TokenResponse {
  @ApiProperty({ description: 'A JWT (RS256, typ at+jwt).' })
  access_token: string;

  @ApiProperty({ enum: ['Bearer'] })
  token_type: 'Bearer';

  @ApiProperty({ description: 'Seconds.', example: 3600 })
  expires_in: number;

  @ApiProperty({ example: 'tasks:read tasks:execute' })
  scope: string;
}

export class TokenErrorResponse {
  @ApiProperty({
    enum: [
      'invalid_request',
      'invalid_client',
      'unsupported_grant_type',
      'invalid_scope',
      'temporarily_unavailable',
      'server_error',
    ],
  })
  error: string;

  @ApiProperty()
  error_description: string;
}
