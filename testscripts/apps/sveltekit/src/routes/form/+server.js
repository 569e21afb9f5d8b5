export async function POST({ request }) {
  const form = await request.formData();
  return new Response(`name=${form.get('name')}`);
}
