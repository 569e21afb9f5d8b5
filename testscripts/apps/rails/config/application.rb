require_relative "boot"

require "rails"
require "action_controller/railtie"
require "action_view/railtie"
require "action_cable/engine"

# Require the gems listed in Gemfile, but for rails, whose parts are chosen above.
Bundler.require(*Rails.groups - [:default])

module Demo
  class Application < Rails::Application
    config.load_defaults 6.1

    # Anyone may connect, from wherever the page came.
    config.action_cable.disable_request_forgery_protection = true
  end
end
