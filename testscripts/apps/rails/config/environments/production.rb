Rails.application.configure do
  config.cache_classes = true
  config.eager_load = true
  config.consider_all_requests_local = false
  config.action_controller.perform_caching = true
  config.log_level = :info
  config.log_tags = [:request_id]
  config.active_support.deprecation = :notify

  # What the process prints is collected by whoever runs it.
  config.logger = ActiveSupport::TaggedLogging.new(ActiveSupport::Logger.new($stdout))

  # This app keeps no secret; a real one has it in its credentials.
  config.secret_key_base = "0" * 64
end
