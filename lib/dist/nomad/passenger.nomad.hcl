# A job for Nomad. Untested: Nomad is in no archive that our tests can use. It says in
# Nomad's words what lib/dist/kubernetes says in those of Kubernetes.
job "app" {
  type = "service"

  update {
    max_parallel     = 1
    canary           = 1
    auto_promote     = true
    auto_revert      = true
    health_check     = "checks"
    min_healthy_time = "5s"
    healthy_deadline = "5m"
  }

  group "app" {
    count = 2

    network {
      port "http" { to = 3000 }
      port "admin" { to = 3001 }
    }

    service {
      name = "app"
      port = "http"
      # Consul has an SRV record of each machine: app.service.consul.
      check {
        type     = "http"
        port     = "admin"
        path     = "/readyz"
        interval = "2s"
        timeout  = "5s"
      }
    }

    task "app" {
      driver = "docker"
      # Nomad takes the service out of Consul first, and waits so long before it sends
      # the signal; then the proxy drains.
      shutdown_delay = "10s"
      kill_signal    = "SIGTERM"
      kill_timeout   = "60s"

      config {
        image           = "registry.example/shop:1"
        ports           = ["http", "admin"]
        args            = ["--max-pool-size=4"]
        readonly_rootfs = true
        cap_drop        = ["all"]
        security_opt    = ["no-new-privileges"]
        mount {
          type   = "tmpfs"
          target = "/tmp"
        }
        mount {
          type   = "tmpfs"
          target = "/run/passenger"
        }
      }

      env {
        PASSENGER_PROXY_ADMIN_LISTEN = ":3001"
      }

      resources {
        cpu    = 500
        memory = 512
      }
    }
  }
}
