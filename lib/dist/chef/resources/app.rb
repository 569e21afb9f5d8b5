# Untested: Chef was not at hand; only Ruby has read it. A custom resource for an app:
#
#   passenger_app 'shop' do
#     app_root '/srv/www/shop/current'
#     server_names %w[shop.example.com]
#     settings('min_instances' => 2)
#   end
#
# It writes /etc/passenger/apps.d/shop.json, where root alone may write, and has the
# pool read it. :restart waits for the outcome: status 5 says that the old version
# serves, and fails the run.
unified_mode true
provides :passenger_app

property :app_name, String, name_property: true
property :app_root, String, required: [:create]
property :server_names, Array, default: []
property :settings, Hash, default: {}
property :apps_dir, String, default: '/etc/passenger/apps.d'

action_class do
  def file_of(name)
    ::File.join(new_resource.apps_dir, "#{name}.json")
  end
end

action :create do
  keys = { 'app_root' => new_resource.app_root, 'server_names' => new_resource.server_names }.merge(new_resource.settings)
  execute 'passenger-pool reload' do
    action :nothing
  end
  file file_of(new_resource.app_name) do
    content "#{JSON.pretty_generate(keys)}\n"
    owner 'root'
    group 'root'
    mode '0644'
    notifies :run, 'execute[passenger-pool reload]', :immediately
  end
end

action :restart do
  execute "passenger-pool restart #{new_resource.app_name} --wait"
end

action :delete do
  execute 'passenger-pool reload' do
    action :nothing
  end
  file file_of(new_resource.app_name) do
    action :delete
    notifies :run, 'execute[passenger-pool reload]', :immediately
  end
end
