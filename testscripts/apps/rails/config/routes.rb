Rails.application.routes.draw do
  root "pages#index"

  get "form", to: "pages#new"
  post "form", to: "pages#create"

  post "upload", to: "uploads#raw"
  post "upload-form", to: "uploads#multipart"

  get "stream", to: "answers#stream"
  get "redirect", to: redirect("/", status: 302)
  get "cookie", to: "answers#cookie"
  get "query", to: "answers#query"
  get "error", to: "answers#error"
  get "pid", to: "answers#pid"
  get "sleep", to: "answers#slept"

  mount ActionCable.server => "/cable"
end
