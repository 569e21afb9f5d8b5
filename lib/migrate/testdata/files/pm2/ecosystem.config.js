module.exports = {
  apps: [
    {
      name: 'portal',
      script: './dist/server.js',
      cwd: '/srv/portal',
      instances: 'max',
      exec_mode: 'cluster',
      autorestart: true,
      watch: false,
      max_memory_restart: '750M',
      node_args: '--max-old-space-size=700',
      kill_timeout: 5000,
      listen_timeout: 20000,
      env: {
        NODE_ENV: 'production',
        PORT: 3000,
        API_URL: 'https://api.example.com',
      },
      env_development: {
        NODE_ENV: 'development',
      },
      out_file: '/var/log/portal/out.log',
      error_file: '/var/log/portal/err.log',
      merge_logs: true,
      time: true,
    },
    // a worker without HTTP
    {
      name: 'portal-worker',
      script: 'worker.js',
      args: ['--queue', 'mail'],
      instances: 2,
      cron_restart: '0 3 * * *',
    },
  ],

  deploy: {
    production: {
      user: 'deploy',
      host: ['a.example.com', 'b.example.com'],
      ref: 'origin/main',
      'post-deploy': 'npm ci && pm2 reload ecosystem.config.js',
    },
  },
};
