# frozen_string_literal: true

module PhusionPassenger
  # The connections of the database libraries that an app has loaded. One that
  # is shared by several processes serves none of them: the preloader closes
  # them, and each process opens its own.
  module Databases
    class << self
      def disconnect
        disconnect_active_record if active_record?
        Sequel::DATABASES.each(&:disconnect) if defined?(Sequel::DATABASES)
        Mongoid.disconnect_clients if defined?(Mongoid) && Mongoid.respond_to?(:disconnect_clients)
      end

      # In a forked process. What connects when it is first used needs nothing.
      def reconnect
        ActiveRecord::Base.establish_connection if active_record? && ActiveRecord::VERSION::MAJOR < 4
        Sequel::DATABASES.each(&:disconnect) if defined?(Sequel::DATABASES)
        Mongoid.reconnect_clients if defined?(Mongoid) && Mongoid.respond_to?(:reconnect_clients)
      end

      private

      def active_record?
        defined?(ActiveRecord) && !ActiveRecord.autoload?(:Base) && defined?(ActiveRecord::Base)
      end

      # Of all roles and shards, as far as the version can name them.
      def disconnect_active_record
        handler = ActiveRecord::Base.connection_handler
        if ActiveRecord.respond_to?(:version) && ActiveRecord.version >= Gem::Version.new("7.1")
          handler.clear_all_connections!(:all)
        elsif handler.respond_to?(:all_connection_pools)
          handler.all_connection_pools.each(&:disconnect!)
        else
          ActiveRecord::Base.clear_all_connections!
        end
      end
    end
  end
end
