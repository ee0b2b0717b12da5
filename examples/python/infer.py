"""Runs a model on this machine's Tally agent: python3 infer.py http://127.0.0.1:7410 breast-cancer:stable 0.1 0.2 …"""
import json, sys, urllib.error, urllib.request

def call(path, body):
    request = urllib.request.Request(agent + path, json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        return json.load(urllib.request.urlopen(request))
    except urllib.error.HTTPError as refused:
        sys.exit(f"{path}: {refused.code} {refused.read().decode()}")

agent, model, values = sys.argv[1], sys.argv[2], [float(value) for value in sys.argv[3:]]
name = call("/v1/models/load", {"ref": model})["inputs"][0]["name"]
inputs = {name: {"dtype": "float32", "dims": [1, len(values)], "data": values}}
print(json.dumps(call("/v1/infer", {"model": model, "inputs": inputs})))
