import { OnGatewayConnection, WebSocketGateway } from '@nestjs/websockets';
import { WebSocket } from 'ws';

@WebSocketGateway({ path: '/ws' })
export class EchoGateway implements OnGatewayConnection {
  handleConnection(client: WebSocket) {
    client.on('message', (message) => client.send(message.toString()));
  }
}
