import { Global, Module } from '@nestjs/common';
import { Drain } from './drain.service.js';
import { HealthController } from './health.controller.js';
import { Readiness } from './readiness.service.js';

@Global()
@Module({ controllers: [HealthController], providers: [Drain, Readiness], exports: [Drain, Readiness] })
export class HealthModule {}
