'use strict';
// SIGQUIT: what the process does, on stderr. A stack is of no use for it: the
// signal is handled between two turns of the event loop, where there is none.
// One whose event loop is blocked is asked through the inspector.

exports.install = function install() {
  process.on('SIGQUIT', () => process.stderr.write(describe()));
};

function describe() {
  const lines = [`main thread: idle, waits for ${waits() || 'nothing'}`];
  for (const response of answers()) {
    const { method, url } = response.req ?? {};
    lines.push(`    request not answered yet: ${method} ${url}${response.headersSent ? ', the head of the answer is sent' : ''}`);
  }
  return lines.join('\n') + '\n';
}

function waits() {
  const counts = new Map();
  for (const name of process.getActiveResourcesInfo?.() ?? []) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => (count > 1 ? `${count} ${name}` : name)).join(', ');
}

function answers() {
  const handles = process._getActiveHandles?.() ?? [];
  return handles.map((handle) => handle._httpMessage).filter((message) => message?.req && !message.writableEnded);
}
