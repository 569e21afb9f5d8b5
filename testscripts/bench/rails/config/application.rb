# frozen_string_literal: true

require 'rails'
require 'action_controller/railtie'
require 'action_view/railtie'

# A Rails application with the usual middleware, one controller and one view.
# It writes no log: what a log costs is not what is measured.
class Hello < Rails::Application
  config.root = File.expand_path('..', __dir__)
  config.load_defaults 6.1
  config.eager_load = true
  config.cache_classes = true
  config.consider_all_requests_local = false
  config.action_controller.perform_caching = true
  config.logger = Logger.new(nil)
  config.secret_key_base = 'a' * 64
  routes.append do
    root to: 'pages#index'
    get 'pid', to: 'pages#pid'
  end
end

Hello.initialize!
