'use server';

import { redirect } from 'next/navigation';

// greet is what the page's form calls; Next refuses it unless the Origin of the
// request is the host that the proxy names.
export async function greet(form) {
  redirect(`/greeted?name=${encodeURIComponent(form.get('name'))}`);
}
