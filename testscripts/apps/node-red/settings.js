// What an app behind a proxy needs: the editor beside the flows, and no
// request of its own to the internet.
module.exports = {
  uiHost: '127.0.0.1',
  uiPort: process.env.PORT || 1880,
  httpAdminRoot: '/editor',
  flowFile: 'flows.json',
  credentialSecret: false,
  telemetry: { enabled: false },
  apiMaxLength: '20mb',
  externalModules: { palette: { allowInstall: false } },
  functionExternalModules: false,
  functionGlobalContext: { crypto: require('crypto'), stream: require('stream') },
  logging: { console: { level: 'info', metrics: false, audit: false } },
};
