import { headers } from 'next/headers';
import { greet } from './actions';

export default async function Page() {
  const protocol = (await headers()).get('x-forwarded-proto');
  return (
    <main>
      <h1>{`Hello from next over ${protocol}`}</h1>
      <form action={greet}>
        <label>
          Name <input name="name" />
        </label>
        <button>Send</button>
      </form>
    </main>
  );
}
