'use strict';
// Saying why the application cannot be loaded. Node itself prints the
// backtrace and exits.

exports.watch = function watch(spawner) {
  process.on('uncaughtExceptionMonitor', (error) => {
    if (!spawner.isWaiting()) return;
    // An application that catches everything goes on after this.
    if (process.listenerCount('uncaughtException') > 0) return;
    spawner.failed(explain(error instanceof Error ? error : new Error(String(error))));
  });
};

// explain returns category, summary and advice for an error.
function explain(error) {
  switch (error.code) {
    case 'MODULE_NOT_FOUND':
    case 'ERR_MODULE_NOT_FOUND':
      return explainMissing(error);
    case 'ERR_DLOPEN_FAILED':
      return {
        category: 'dependency',
        summary: `a native module cannot be loaded: ${firstLine(error.message)}`,
        advice: `It was built for another Node.js or system: run "npm rebuild" with Node.js ${process.version}.`,
      };
    case 'ERR_REQUIRE_ESM':
      return {
        category: 'dependency',
        summary: firstLine(error.message) + placeOf(error),
        advice: 'Load it with import(), or make the application an ES module: "type": "module" in package.json.',
      };
    case 'ERR_UNKNOWN_FILE_EXTENSION':
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
      return {
        category: 'config',
        summary: firstLine(error.message) + placeOf(error),
        advice: /\.[cm]?tsx?\b/.test(error.message)
          ? `Node.js ${process.version} does not run this TypeScript: build it, and name what is built as "main" or "startup_file"; or have a start script run it.`
          : 'Check "startup_file" in Passengerfile.json, or "main" in package.json.',
      };
    case 'EACCES':
    case 'EPERM':
      return {
        category: 'permission',
        summary: firstLine(error.message) + placeOf(error),
        advice: 'Let the user that the application runs as have what it asked for.',
      };
  }
  if (isSyntax(error)) return explainSyntax(error);
  return {
    category: 'app',
    summary: `${error.name}: ${firstLine(error.message)} while the application was loading${placeOf(error)}`,
    advice: 'The output holds the whole backtrace.',
  };
}

function explainMissing(error) {
  const name = /'([^']*)'/.exec(error.message)?.[1] ?? '';
  if (error.requireStack?.length === 0) {
    return {
      category: 'config',
      summary: `the startup file ${name} does not exist`,
      advice: 'Check "startup_file" in Passengerfile.json; it is relative to the application\'s directory.',
    };
  }
  const by = error.requireStack?.[0] ?? / imported from (.*)$/m.exec(error.message)?.[1];
  const summary = `the module "${name}" is missing` + (by ? ` (wanted by ${relative(by)})` : '');
  const own = /^[./]/.test(name);
  return {
    category: 'dependency',
    summary,
    advice: own
      ? 'It is a file of the application itself: was it deployed, or must it be built first?'
      : 'Run "npm ci" (or "npm install") in the application\'s directory; if package.json does not name it, "npm install NAME".',
  };
}

// isSyntax says whether error is about a source file, and not about some data
// that the application parsed.
function isSyntax(error) {
  if (!(error instanceof SyntaxError)) return false;
  return placeLine(error.stack) !== null || /compileSourceTextModule|moduleStrategy/.test(error.stack) || /^\/.*\.json: /.test(error.message);
}

function explainSyntax(error) {
  const place = placeOfSyntax(error);
  const esm = /import statement|Unexpected token 'export'|Cannot use 'import.meta'/.test(error.message);
  return {
    category: 'syntax',
    summary: `syntax error${place && ' in ' + place}: ${firstLine(error.message)}`,
    advice: esm
      ? 'It is an ES module: set "type": "module" in package.json, or name the file .mjs.'
      : `Correct it; Node.js ${process.version} reads it.`,
  };
}

// placeOfSyntax returns "FILE, line N". For an ES module the error does not
// hold it; then Node is asked to check the file that it was started with.
function placeOfSyntax(error) {
  let found = placeLine(error.stack);
  if (!found && /compileSourceTextModule|moduleStrategy/.test(error.stack)) {
    const { spawnSync } = require('child_process');
    found = placeLine(spawnSync(process.execPath, ['--check', process.argv[1]], { encoding: 'utf8', timeout: 5000 }).stderr);
  }
  return found ? `${relative(found[1])}, line ${found[2]}` : '';
}

function placeLine(text) {
  return /^(\/.*|file:\/\/.*):(\d+)$/m.exec(text ?? '');
}

// placeOf returns the innermost place in the application's own files.
function placeOf(error) {
  for (const line of (error.stack ?? '').split('\n')) {
    const found = /(?:\(|at )((?:file:\/\/)?\/.*?:\d+)(?::\d+)?\)?$/.exec(line);
    if (found && !found[1].includes('/node_modules/')) return ` (${relative(found[1])})`;
  }
  return '';
}

function relative(file) {
  const plain = file.replace(/^file:\/\//, '');
  const root = process.cwd() + '/';
  return plain.startsWith(root) ? plain.slice(root.length) : plain;
}

function firstLine(text) {
  return String(text).split('\n', 1)[0];
}
