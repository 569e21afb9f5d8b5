require_relative "boot"

require "rails"
require "action_controller/railtie"
require "action_view/railtie"

# Require the gems listed in Gemfile, but for rails, whose parts are chosen above.
Bundler.require(*Rails.groups - [:default])

module Demo
  class Application < Rails::Application
    config.load_defaults 6.1
  end
end
