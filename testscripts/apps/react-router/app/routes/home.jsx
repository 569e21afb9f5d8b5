import { Form } from 'react-router';

export function loader({ request }) {
  return { protocol: new URL(request.url).protocol };
}

export default function Home({ loaderData }) {
  return (
    <main>
      <h1>{`Hello from react-router over ${loaderData.protocol}`}</h1>
      <Form action="/form" method="post">
        <label>
          Name <input name="name" />
        </label>
        <button>Send</button>
      </Form>
    </main>
  );
}
