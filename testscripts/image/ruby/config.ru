run lambda { |env|
  sleep 0.1 until env["PATH_INFO"] != "/slow" || File.exist?("/tmp/go")
  [200, {"content-type" => "text/plain"}, ["hello from ruby as #{Process.uid}\n"]]
}
