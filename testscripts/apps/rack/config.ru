# frozen_string_literal: true

require_relative "lib/demo"

use Rack::Head
run Demo.new
