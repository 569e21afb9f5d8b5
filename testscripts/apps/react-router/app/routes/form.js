export async function action({ request }) {
  const form = await request.formData();
  return new Response(`name=${form.get('name')}`);
}
