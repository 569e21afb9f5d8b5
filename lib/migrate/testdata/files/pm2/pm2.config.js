const os = require("os");

const workers = 3 * 2;

const apps = [
  { name: "gateway", script: "gateway.mjs", instances: workers, env_production: { LOG_LEVEL: "warn" }, instance_var: "INSTANCE_ID" },
  makeApp("billing"),
];

function makeApp(name) {
  return { name, script: `${name}.js` };
}

exports.apps = apps;
