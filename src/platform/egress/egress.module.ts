import { Global, Module } from '@nestjs/common';
import { AppConfig } from '../../../config/app-config.js';
import { Egress } from './egress.port.js';
import { UndiciEgress } from './egress.undici.js';

@Global()
@Module({
  providers: [
    {
      provide: Egress,
      inject: [AppConfig],
      useFactory: (config: AppConfig) => new UndiciEgress(config.env.EGRESS_ALLOW),
    },
  ],
  exports: [Egress],
})
export class EgressModule {}
