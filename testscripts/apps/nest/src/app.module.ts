import { Module } from '@nestjs/common';
import { AppController } from './app.controller.js';
import { EchoGateway } from './echo.gateway.js';

@Module({ controllers: [AppController], providers: [EchoGateway] })
export class AppModule {}
